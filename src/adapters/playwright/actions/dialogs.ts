import type { BrowserContext, Dialog, Page } from 'playwright'
import type { Logger } from '../../../logger.ts'
import type { ActionValues } from '../../../ports/actions/list.ts'
import { guestContext } from '../guest-context.ts'
import { ActionFailure, type ActionHandler } from './action-site.ts'
import { answers } from './answers.ts'

interface Answer {
  accept: boolean
  promptText: string | null
}

interface OpenDialog {
  dialog: Dialog
  timer: NodeJS.Timeout
}

/** A dialog that a step opened waits so long for a later step to answer it: whoever drives the page has to see it first. */
const AFTER_STEP_MS = 30_000
/** How long a page may take, once a dialog is answered, to open the next. */
const NEXT_MS = 500
/** One that the page opened by itself: nobody may be there, and until it is answered the page stands still. */
const BY_ITSELF_MS = 1_000
/** A client that is attached hears of it too, and may answer. */
const WITH_CLIENTS_MS = 5_000

/**
 * The dialogs of a session's pages. They are answered by a `dialog` step, the open one or, said beforehand, the next;
 * what nobody answers in time is dismissed. Leaving a page is accepted at once.
 */
export class Dialogs {
  readonly #logger: Logger
  readonly #open = new Map<Page, OpenDialog>()
  readonly #armed = new Map<Page, Answer>()
  readonly #watchers = new Map<Page, (dialog: Dialog) => void>()
  readonly #stays = new Map<Page, (settled: Promise<void>) => void>()
  #clients = 0

  constructor(context: BrowserContext, logger: Logger) {
    this.#logger = logger
    for (const one of new Set([context, guestContext(context)])) {
      one.on('dialog', (dialog) => this.#opened(dialog))
      one.on('page', (page) => this.#forgetWhenClosed(page))
      for (const page of one.pages()) this.#forgetWhenClosed(page)
    }
  }

  /**
   * Answers the open dialog, and returns it with the one that the page opened at once after it; null: none is open, so
   * the answer is for the next.
   */
  async answer(page: Page, answer: Answer): Promise<{ dialog: Dialog; next: Dialog | null } | null> {
    const open = this.#open.get(page)
    if (!open) {
      this.#armed.set(page, answer)
      return null
    }
    clearTimeout(open.timer)
    this.#open.delete(page)
    const { opened, stop } = this.watch(page)
    try {
      await give(open.dialog, answer)
      const next = await Promise.race([opened, answers(page, NEXT_MS).then(() => null)])
      return { dialog: open.dialog, next }
    } finally {
      stop()
    }
  }

  /** The dialog that holds up the page now. */
  openOn(page: Page): Dialog | null {
    return this.#open.get(page)?.dialog ?? null
  }

  /** Resolves with a dialog that opens, and is not answered, while a step is taken on the page; call `stop` after it. */
  watch(page: Page): { opened: Promise<Dialog>; stop: () => void } {
    const { promise: opened, resolve } = Promise.withResolvers<Dialog>()
    this.#watchers.set(page, resolve)
    return { opened, stop: () => this.#watchers.delete(page) }
  }

  /** Until the returned function is called, somebody else may answer. */
  leaveToClients(): () => void {
    this.#clients += 1
    return () => {
      this.#clients -= 1
    }
  }

  /** Those that are open now: one that opens while it is found out whose dialog was closed is none of them. */
  allOpen(): ReadonlySet<Dialog> {
    return new Set([...this.#open.values()].map(({ dialog: open }) => open))
  }

  /** Somebody else answered the dialog of the page, if it is one of these. */
  forget(page: Page, among: ReadonlySet<Dialog>): void {
    const open = this.#open.get(page)
    if (open && among.has(open.dialog)) this.#drop(page)
  }

  #drop(page: Page): void {
    clearTimeout(this.#open.get(page)?.timer)
    this.#open.delete(page)
  }

  /**
   * Calls back when the page asks whether to leave it, and the answer is no; what it is given resolves once the page is
   * itself again. Returns how to stop that. (Measured: a page that is left while it still hears the answer asks nothing
   * and stays until the time is up.)
   */
  onStay(page: Page, stays: (settled: Promise<void>) => void): () => void {
    this.#stays.set(page, stays)
    return () => this.#stays.delete(page)
  }

  dispose(): void {
    for (const { timer } of this.#open.values()) clearTimeout(timer)
    this.#open.clear()
  }

  #opened(dialog: Dialog): void {
    const page = dialog.page()
    const armed = page === null ? undefined : this.#armed.get(page)
    if (page === null || armed || dialog.type() === 'beforeunload') {
      if (page !== null && armed) this.#armed.delete(page)
      const answer = armed ?? { accept: dialog.type() === 'beforeunload', promptText: null }
      const given = this.#give(dialog, answer)
      if (page !== null && dialog.type() === 'beforeunload' && !answer.accept) {
        this.#stays.get(page)?.(given.then(() => answers(page, NEXT_MS)).then(() => undefined))
      }
      return
    }
    const watcher = this.#watchers.get(page)
    const timer = setTimeout(
      () => {
        this.#open.delete(page)
        void this.#give(dialog, { accept: false, promptText: null })
      },
      watcher ? AFTER_STEP_MS : this.#clients > 0 ? WITH_CLIENTS_MS : BY_ITSELF_MS,
    )
    this.#open.set(page, { dialog, timer })
    watcher?.(dialog)
  }

  #give(dialog: Dialog, answer: Answer): Promise<void> {
    return give(dialog, answer).catch((error: unknown) =>
      this.#logger.debug({ err: error }, 'a dialog was gone before its answer'),
    )
  }

  #forgetWhenClosed(page: Page): void {
    page.once('close', () => {
      this.#drop(page)
      this.#armed.delete(page)
    })
  }
}

async function give(dialog: Dialog, { accept, promptText }: Answer): Promise<void> {
  if (!accept) return dialog.dismiss()
  await dialog.accept(dialog.type() === 'prompt' ? (promptText ?? dialog.defaultValue()) : undefined)
}

export const describeDialog = (dialog: Dialog) => ({ type: dialog.type(), message: dialog.message().slice(0, 1_000) })

/** Throws ActionFailure when a dialog holds up the page, which answers nothing until that is answered itself. */
export function requireNoDialog(dialogs: Dialogs, page: Page): void {
  const blocking = dialogs.openOn(page)
  if (!blocking) return
  const { type, message } = describeDialog(blocking)
  const what = `${type}: ${message}`
  throw new ActionFailure('NOT_ACTIONABLE', `A dialog holds up the page (${what}). Answer it with a dialog step.`)
}

export const dialog: ActionHandler<ActionValues<'dialog'>> = async (site, { accept, promptText }) => {
  site.details.note({ accept, ...(promptText === null ? {} : { promptText }) })
  const answered = await site.dialogs.answer(site.page, { accept, promptText })
  if (!answered) site.details.note({ forTheNext: true })
  else {
    const { dialog: open, next } = answered
    site.details.note({ dialog: describeDialog(open), ...(next ? { next: describeDialog(next) } : {}) })
  }
  return {}
}
