import type { createGraphiqlFetcher } from './graphiql-fetcher.ts'

/**
 * The script of the GraphiQL page: signs in, then starts GraphiQL itself. Served as a separate file
 * (`(${runGraphiqlPage})(…)`), because the page's policy allows no inline script. It must not refer to anything outside
 * of itself.
 */
export function runGraphiqlPage(
  page: PageGlobals,
  settings: GraphiqlPageSettings,
  createFetcher: typeof createGraphiqlFetcher,
): void {
  const STORED_KEY = 'tabwire.apiKey'
  const KEPT_MS = 12 * 60 * 60 * 1000
  const { document, location, history, localStorage } = page

  // First of all, before anything can fail: a code that stays in the URL ends up in histories and screenshots.
  const hash = new URLSearchParams(location.hash.slice(1))
  const code = hash.get('code')
  if (location.hash) history.replaceState(null, '', location.pathname + location.search)

  page.MonacoEnvironment = {
    globalAPI: false,
    getWorkerUrl: (_, label) => new URL(settings.workers[label] ?? '', location.href).toString(),
  }

  void start()

  async function start(): Promise<void> {
    const key = code ? await exchange(code) : storedKey()
    if (!key && !code) {
      say('You are not signed in. Open the link that the server printed, or enter a key under Headers.')
    }
    // Signing out in the dashboard signs out here: the key must not stay in Headers.
    page.addEventListener('storage', ({ key: changed }) => {
      if ((changed === STORED_KEY || changed === null) && storedKey() === null) page.location.reload()
    })
    const demo = new URL('demo/', location.href).href
    const variables = JSON.stringify({ url: demo, session: '', cursor: null }, null, 2)
    if (!localStorage.getItem('graphiql:tabState')) {
      // State that GraphiQL stores once an editor was edited. Without it, a reload would open a second, empty tab.
      localStorage.setItem('graphiql:query', settings.query)
      localStorage.setItem('graphiql:variables', variables)
    }
    // GraphiQL's stored sidebar state: a link to #docs opens the documentation of the schema.
    if (hash.has('docs')) localStorage.setItem('graphiql:visiblePlugin', 'Documentation Explorer')
    const headers = JSON.stringify({ 'X-API-Key': key ?? '' }, null, 2)
    page.YogaGraphiQL.renderYogaGraphiQL(document.querySelector('#root'), {
      // Inserted as HTML. Relative, so that a proxy may serve the whole server below a path.
      title: '<a id="dashboard" href="./" title="Open the dashboard">Tabwire dashboard</a>',
      logo: '',
      fetcher: createFetcher(new URL('graphql', location.href).pathname),
      headers,
      defaultTabs: [{ query: settings.query, variables, headers }],
      defaultEditorToolsVisibility: 'variables',
      // GraphiQL would store the key permanently.
      shouldPersistHeaders: false,
      // The operation being edited is private: GraphiQL would write it into the URL.
      onEditQuery: () => {},
    })
  }

  /** From the dashboard (dashboard/src/sign-in/sign-in.ts), which removes expired ones. */
  function storedKey(): string | null {
    try {
      const stored = JSON.parse(localStorage.getItem(STORED_KEY) ?? 'null') as {
        apiKey: string
        keptUntil: number
      } | null
      const left = stored === null ? 0 : stored.keptUntil - Date.now()
      return left > 0 && left <= KEPT_MS ? stored!.apiKey : null
    } catch {
      return null
    }
  }

  async function exchange(signInCode: string): Promise<string | null> {
    try {
      const response = await fetch(new URL('sign-in', location.href), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ code: signInCode }),
      })
      const answer = (await response.json()) as { apiKey?: string; error?: { message: string } }
      if (answer.apiKey) {
        localStorage.setItem(STORED_KEY, JSON.stringify({ apiKey: answer.apiKey, keptUntil: Date.now() + KEPT_MS }))
        return answer.apiKey
      }
      say(answer.error?.message ?? 'Sign-in failed. Open a new link: the server prints one when it starts.')
    } catch {
      say('Can’t reach the server. Is it running? Are you online? Then reload this page.')
    }
    return null
  }

  function say(sentence: string): void {
    const notice = document.querySelector('#notice')
    notice.textContent = sentence
    notice.hidden = false
  }
}

export interface GraphiqlPageSettings {
  /** Initial contents of the first tab: example operations. */
  query: string
  /** URL of each of the editor's workers, relative to the page. */
  workers: Record<string, string>
}

interface PageElement {
  textContent: string
  hidden: boolean
}

interface PageStorage {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
}

/** The parts of the browser's window that the page's script uses; the server's code is not compiled with DOM types. */
interface PageGlobals {
  document: { querySelector(selector: string): PageElement }
  location: { hash: string; href: string; pathname: string; search: string; reload(): void }
  history: { replaceState(data: null, unused: string, url: string): void }
  localStorage: PageStorage
  MonacoEnvironment?: { globalAPI: boolean; getWorkerUrl(moduleId: string, label: string): string }
  addEventListener(type: 'storage', listener: (event: { key: string | null }) => void): void
  YogaGraphiQL: { renderYogaGraphiQL(root: PageElement, options: object): void }
}
