import type { createGraphiqlFetcher } from './graphiql-fetcher.ts'

/**
 * What runs in the browser on the page of GraphiQL: signing in, then GraphiQL itself. Served as a file of its own
 * (`(${runGraphiqlPage})(…)`), because the page's policy allows no inline script. It must not refer to
 * anything outside of itself.
 */
export function runGraphiqlPage(
  page: PageGlobals,
  settings: GraphiqlPageSettings,
  createFetcher: typeof createGraphiqlFetcher,
): void {
  const STORED_KEY = 'tabwire.apiKey'
  const { document, location, history, localStorage, sessionStorage } = page

  // At once, before anything can fail: a code that stays in the address ends up in histories and screenshots.
  const hash = new URLSearchParams(location.hash.slice(1))
  const code = hash.get('code')
  if (location.hash) history.replaceState(null, '', location.pathname + location.search)

  page.MonacoEnvironment = {
    globalAPI: false,
    getWorkerUrl: (_, label) => new URL(settings.workers[label] ?? '', location.href).toString(),
  }

  void start()

  async function start(): Promise<void> {
    const key = code ? await exchange(code) : sessionStorage.getItem(STORED_KEY)
    if (!key) {
      if (!code) say('You are not signed in. Open the link that the server printed, or write a key into Headers.')
    } else {
      sessionStorage.setItem(STORED_KEY, key)
    }
    if (!localStorage.getItem('graphiql:tabState')) {
      // What GraphiQL itself keeps of an editor once it was edited. Missing, a reload would open a second, empty tab.
      localStorage.setItem('graphiql:query', settings.query)
      localStorage.setItem('graphiql:variables', settings.variables)
    }
    // What GraphiQL keeps of the side bar: a link to #docs opens the documentation of the schema.
    if (hash.has('docs')) localStorage.setItem('graphiql:visiblePlugin', 'Documentation Explorer')
    const headers = JSON.stringify({ 'X-API-Key': key ?? '' }, null, 2)
    page.YogaGraphiQL.renderYogaGraphiQL(document.querySelector('#root'), {
      // Taken as HTML. Relative, so that a proxy may put the whole server below a path.
      title: '<a id="dashboard" href="./" title="Open the dashboard">Tabwire dashboard</a>',
      logo: '',
      fetcher: createFetcher(new URL('graphql', location.href).pathname),
      headers,
      defaultTabs: [{ query: settings.query, variables: settings.variables, headers }],
      defaultEditorToolsVisibility: 'variables',
      // The key belongs to this tab of the browser alone: GraphiQL would keep it in localStorage, for good.
      shouldPersistHeaders: false,
      // What is typed is nobody's business: GraphiQL would write it into the address.
      onEditQuery: () => {},
    })
  }

  async function exchange(signInCode: string): Promise<string | null> {
    try {
      const response = await fetch(new URL('sign-in', location.href), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ code: signInCode }),
      })
      const answer = (await response.json()) as { apiKey?: string; error?: { message: string } }
      if (answer.apiKey) return answer.apiKey
      say(answer.error?.message ?? 'Signing in failed. Open a fresh link: the server prints one when it starts.')
    } catch {
      say('The server did not answer. Check that it runs, then reload this page.')
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
  /** What stands in the first tab: operations to begin with. */
  query: string
  /** JSON. */
  variables: string
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

/** What the page's script needs of a browser's window; the server's own code is not compiled with its types. */
interface PageGlobals {
  document: { querySelector(selector: string): PageElement }
  location: { hash: string; href: string; pathname: string; search: string }
  history: { replaceState(data: null, unused: string, url: string): void }
  localStorage: PageStorage
  sessionStorage: PageStorage
  MonacoEnvironment?: { globalAPI: boolean; getWorkerUrl(moduleId: string, label: string): string }
  YogaGraphiQL: { renderYogaGraphiQL(root: PageElement, options: object): void }
}
