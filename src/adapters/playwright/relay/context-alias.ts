import type { CommandParams } from './command-policy.ts'

/** Commands that mean the browser's own context where they name none. */
const OF_A_CONTEXT = new Set([
  'Browser.cancelDownload',
  'Browser.grantPermissions',
  'Browser.resetPermissions',
  'Browser.setDownloadBehavior',
  'Browser.setPermission',
  'Storage.clearCookies',
  'Storage.getCookies',
  'Storage.setCookies',
  'Target.createTarget',
])

/**
 * The session lives in a context that Playwright made with its options. Clients look for pages in the browser's own, so
 * ours is passed off as that: named in commands that name none, and not among those that were made.
 */
export class ContextAlias {
  readonly #browserContextId: string

  constructor(browserContextId: string) {
    this.#browserContextId = browserContextId
  }

  /** The parameters that the browser is given. */
  command(method: string, params: CommandParams): CommandParams {
    if (!OF_A_CONTEXT.has(method)) return params
    return { browserContextId: this.#browserContextId, ...defined(params) }
  }

  /** What the browser answers to Target.getBrowserContexts. */
  contexts(result: Record<string, unknown>): Record<string, unknown> {
    const ids = Array.isArray(result['browserContextIds']) ? (result['browserContextIds'] as unknown[]) : []
    const shown = { ...result, browserContextIds: ids.filter((id) => id !== this.#browserContextId) }
    return 'defaultBrowserContextId' in result ? { ...shown, defaultBrowserContextId: this.#browserContextId } : shown
  }
}

/** Clients write null or "" for a context that they do not name. */
function defined(params: CommandParams): CommandParams {
  const { browserContextId, ...others } = params
  return browserContextId == null || browserContextId === '' ? others : params
}
