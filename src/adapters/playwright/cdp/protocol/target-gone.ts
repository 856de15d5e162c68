/** The target of a command ended before it responded. */
export class TargetGone extends Error {
  constructor() {
    super('the target is gone')
  }
}

/** The browser ended before it had answered a command. */
export class BrowserGone extends Error {
  constructor(command = '') {
    super(`${command}the browser is gone`)
  }
}

/** The page of a command has crashed, and answers nothing any more. */
export class PageCrashed extends Error {
  constructor() {
    super('the page has crashed')
  }
}
