import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeGlobalId } from '../../src/contract/global-id.ts'
import { ACTION, actionApi, outcomes, type ActionData } from '../support/action-api.ts'
import { artifactApi } from '../support/artifact-api.ts'
import { leakGate } from '../support/leak-gate.ts'
import { sessionApi } from '../support/session-api.ts'
import { startActionPages, type ActionSitePages } from '../support/site-actions.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'
import { startTestSite, type TestSite } from '../support/test-site.ts'

leakGate()

let site: TestSite
let pages: ActionSitePages
let tabwire: TestApp
const { start, get, terminate } = sessionApi(() => tabwire)
const { run, tryRun, logged } = actionApi(() => tabwire)
const artifacts = artifactApi(() => tabwire)

beforeAll(async () => {
  site = await startTestSite()
  pages = await startActionPages()
  tabwire = await startTestApp()
})

afterAll(async () => {
  await tabwire.close()
  await site.close()
  await pages.close()
})

const signingIn = () => [
  { navigate: { url: `${site.url}/shop` } },
  { fill: { target: { label: 'User' }, value: 'ann' } },
  { fill: { target: { label: 'Password' }, value: 'open sesame' } },
  { click: { target: { role: { role: 'button', name: 'Sign in' } } } },
  { wait: { target: { text: 'Welcome, ann' } } },
]

const shopping = [
  { fill: { target: { label: 'Search' }, value: 'laptop' } },
  { select: { target: { label: 'At most' }, values: ['1500'] } },
  { click: { target: { role: { role: 'button', name: 'Search' } } } },
  { wait: { target: { css: '.item' } } },
  { extract: { target: { css: '.item' }, as: 'LIST', fields: { name: 'b', price: 'span', ['__proto__']: 'b' } } },
]

test('log in, fill a form, take something out: the log is what was answered, live and in history, and keeps no password', async () => {
  const { id } = await start()
  const watch = `subscription ($id: ID!) { sessionEvents(sessionId: $id) { entries { __typename ... on Action { ${ACTION} } } } }`
  const live: ActionData[] = []
  let received = ''
  const watching = (async () => {
    for await (const answer of tabwire.client().iterate<{ sessionEvents: { entries: ActionData[] } }>({
      query: watch,
      variables: { id },
    })) {
      received += JSON.stringify(answer)
      live.push(...answer.data!.sessionEvents.entries.filter(({ __typename }) => __typename === 'Action'))
    }
  })()
  const signedIn = await run(id, signingIn())
  expect(outcomes(signedIn)).toEqual(['DONE', 'DONE', 'DONE', 'DONE', 'DONE'])
  const shopped = await run(id, shopping)
  expect(outcomes(shopped)).toEqual(['DONE', 'DONE', 'DONE', 'DONE', 'DONE'])
  const found = shopped.at(-1)!.result as { name: string; price: string }[]
  expect(JSON.stringify(found)).toContain('{"name":"Pebble 11","price":"449 francs","__proto__":"Pebble 11"}')
  expect(found.map(({ name }) => name)).not.toContain('Granite 15')

  const answered = [...signedIn, ...shopped]
  for (const action of answered) {
    expect(action).toMatchObject({ __typename: 'Action', origin: 'API', pageId: 'p1', taskId: null, cost: null })
    expect(Date.parse(action.at)).toBeGreaterThanOrEqual(Date.parse(action.startedAt))
  }
  const types = ['NAVIGATE', 'FILL', 'FILL', 'CLICK', 'WAIT', 'FILL', 'SELECT', 'CLICK', 'WAIT', 'EXTRACT']
  expect(answered.map(({ type }) => type)).toEqual(types)
  await terminate(id)
  await watching
  const history = await logged(id)
  expect(JSON.stringify(history.at(-1)!.result)).toContain('"__proto__":"Pebble 11"')
  expect(history).toEqual(answered)
  expect(live).toEqual(answered)
  const counts = 'query ($id: ID!) { session(id: $id) { actionCount cost { inputTokens usd } actions { totalCount } } }'
  expect(await tabwire.query(counts, { id })).toEqual({
    session: { actionCount: 10, cost: { inputTokens: 0, usd: 0 }, actions: { totalCount: 10 } },
  })

  const node = `query ($id: ID!) { node(id: $id) { ... on Action { ${ACTION} } } }`
  const [, , password] = history
  expect(await tabwire.query(node, { id: password!.id })).toEqual({ node: password })
  const everything = `query ($id: ID!) { session(id: $id) { events(first: 1000) { nodes { __typename ... on Action { ${ACTION} } } } } }`
  const reported = [received, JSON.stringify(history), JSON.stringify(await tabwire.query(everything, { id }))].join()
  expect(reported).not.toContain('sesame')
  expect(JSON.stringify(password!.details)).toMatch(/\*|•|mask/i)
})

test('cursors are those of the whole log; pages forward, backward and by offset', async () => {
  const { id } = await start({ initialPrompt: `${site.url}/console` }, 'LOADED')
  const done = await run(
    id,
    Array.from({ length: 7 }, (_, index) => ({ evaluate: { expression: `console.log('again'), ${index}` } })),
  )
  const page = async (args: string, kind = 'actions') => {
    const query = `query ($id: ID!) { session(id: $id) { ${kind}(${args}) {
      nodes { ... on Action { result } } pageInfo { hasNextPage hasPreviousPage } edges { cursor } } } }`
    const { session } = await tabwire.query<{
      session: Record<
        string,
        {
          nodes: { result?: number }[]
          pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean }
          edges: { cursor: string }[]
        }
      >
    }>(query, { id })
    const { nodes, pageInfo, edges } = session[kind]!
    const results = nodes.map(({ result }) => result)
    return { results, next: pageInfo.hasNextPage, previous: pageInfo.hasPreviousPage, edges }
  }
  expect(await page('first: 3')).toMatchObject({ results: [0, 1, 2], next: true, previous: false })
  expect(await page('last: 3')).toMatchObject({ results: [4, 5, 6], previous: true })
  expect(await page('first: 2, offset: 3')).toMatchObject({ results: [3, 4], next: true, previous: true })
  expect(await page('offset: 6')).toMatchObject({ results: [6], next: false })
  expect(await page('offset: 9')).toMatchObject({ results: [], next: false })
  expect(await page(`first: 2, after: "${done[2]!.cursor}"`)).toMatchObject({ results: [3, 4] })
  expect(await page(`last: 2, before: "${done[2]!.cursor}"`)).toMatchObject({ results: [0, 1] })
  // A cursor of the whole log works here, and one of an action there.
  const { edges } = await page('first: 1000', 'events')
  expect(await page(`first: 1, after: "${edges[0]!.cursor}"`)).toMatchObject({ results: [0] })
  expect((await page(`first: 1, after: "${done[5]!.cursor}", kinds: [ACTION]`, 'events')).results).toEqual([6])
  const both = `query ($id: ID!) { session(id: $id) { actions(offset: 1, after: "${done[0]!.cursor}") { totalCount } } }`
  expect((await tabwire.send(both, { id })).errors![0]!.extensions.code).toBe('BAD_USER_INPUT')
})

test('the first failure stops the rest, which come back as SKIPPED and stand in the log', async () => {
  const { id } = await start({ initialPrompt: `${pages.url}/form` }, 'LOADED')
  const actions = await run(id, [
    { fill: { target: { css: '#user' }, value: 'ann' } },
    { click: { target: { css: '#missing' }, timeoutMs: 3_000 } },
    { click: { target: { testId: 'go' } } },
    { screenshot: {} },
  ])
  expect(outcomes(actions)).toEqual(['DONE', 'NOT_FOUND', 'SKIPPED', 'SKIPPED'])
  expect(actions[1]!.error!.message).toContain('#missing')
  expect(actions[2]!.error!.message).toContain('2')
  expect(await logged(id)).toEqual(actions)
  const [blocked] = await run(id, [{ navigate: { url: 'file:///etc/passwd' } }])
  expect(blocked).toMatchObject({ success: false, error: { code: 'BLOCKED' } })
  const [metadata] = await run(id, [{ openPage: { url: 'http://169.254.169.254/' } }])
  expect(metadata).toMatchObject({ success: false, error: { code: 'BLOCKED' } })
  expect(outcomes(await run(id, [{ navigate: { url: 'about:blank' } }]))).toEqual(['DONE'])
})

test('after openPage the steps act on the new page, after closePage on the oldest that is left', async () => {
  const { id } = await start({ initialPrompt: `${site.url}/title` }, 'LOADED')
  const where = { evaluate: { expression: 'location.pathname' } }
  const actions = await run(id, [where, { openPage: { url: `${pages.url}/form` } }, where, { closePage: {} }, where])
  expect(outcomes(actions)).toEqual(['DONE', 'DONE', 'DONE', 'DONE', 'DONE'])
  expect(actions.map(({ pageId }) => pageId)).toEqual(['p1', 'p2', 'p2', 'p2', 'p1'])
  expect([0, 2, 4].map((index) => actions[index]!.result)).toEqual(['/title', '/form', '/title'])
  await run(id, [{ openPage: {} }])
  expect((await run(id, [where], 'p3'))[0]).toMatchObject({ pageId: 'p3', result: 'blank' })
  expect((await run(id, [where]))[0]).toMatchObject({ pageId: 'p1' })
})

describe('files', () => {
  test('a screenshot is kept and can be fetched; an upload is given from artifacts; what is missing is said', async () => {
    const { id } = await start({ initialPrompt: `${pages.url}/files` }, 'LOADED')
    const given = await artifacts.give(id, 'hello', 'note.txt', 'text/plain')
    const actions = await run(id, [
      { upload: { target: { css: '#file' }, artifactIds: [given.id] } },
      { wait: { target: { text: 'note.txt' } } },
      { extract: { target: { css: '#out' } } },
      { screenshot: {} },
    ])
    expect(outcomes(actions)).toEqual(['DONE', 'DONE', 'DONE', 'DONE'])
    expect(actions[2]!.result).toBe('note.txt:text/plain:hello')
    const { artifact } = actions[3]!
    expect(artifact).toMatchObject({ kind: 'SCREENSHOT', contentType: 'image/png' })
    const bytes = Buffer.from(await (await fetch(artifact!.url)).arrayBuffer())
    expect(bytes.length).toBe(artifact!.sizeBytes)
    expect(bytes.subarray(1, 4).toString()).toBe('PNG')
    const query = 'query ($id: ID!) { session(id: $id) { screenshotCount } }'
    expect(await tabwire.query(query, { id })).toEqual({ session: { screenshotCount: 1 } })

    await artifacts.remove(artifact!.id)
    expect((await logged(id)).at(-1)!.artifact).toBeNull()
    const { uuid } = decodeGlobalId(given.id)!
    const upload = { upload: { target: { css: '#file' }, artifactIds: [given.id, artifact!.id, 'nonsense', uuid] } }
    const { errors } = await tryRun(id, [{ back: {} }, upload])
    expect(errors![0]!.extensions).toMatchObject({
      code: 'BAD_USER_INPUT',
      issues: [
        { path: ['actions', 1, 'upload', 'artifactIds', 1], code: 'NOT_FOUND' },
        { path: ['actions', 1, 'upload', 'artifactIds', 2], code: 'NOT_FOUND' },
        { path: ['actions', 1, 'upload', 'artifactIds', 3], code: 'NOT_FOUND' },
      ],
    })
  })

  test('startSession takes a screenshot when the page has loaded; LOADED answers with it', async () => {
    const { id } = await start({ initialPrompt: `${site.url}/title`, screenshot: true }, 'LOADED')
    const actions = await logged(id)
    expect(actions).toMatchObject([
      { type: 'SCREENSHOT', origin: 'API', success: true, artifact: { kind: 'SCREENSHOT' } },
    ])
    const blank = await start({ screenshot: true }, 'LOADED')
    expect(outcomes(await logged(blank.id))).toEqual(['DONE'])
  })
})

describe('Page.observation', () => {
  const OBSERVE = `query ($id: ID!, $max: Int, $target: Target, $shot: Boolean) { session(id: $id) { pages {
    observation(maxCharacters: $max, target: $target, screenshot: $shot) { url title snapshot truncated screenshot } } } }`
  type Observed = { url: string; title: string; snapshot: string; truncated: number; screenshot: string | null }
  const observe = async (id: string, more: object = {}) => {
    const { session } = await tabwire.query<{ session: { pages: { observation: Observed }[] } }>(OBSERVE, {
      id,
      ...more,
    })
    return session.pages[0]!.observation
  }

  test('refs of the snapshot work in targets; it is cut where told, can be narrowed, and comes with a picture', async () => {
    const { id } = await start({ initialPrompt: `${pages.url}/form` }, 'LOADED')
    const whole = await observe(id)
    expect(whole).toMatchObject({ url: `${pages.url}/form`, title: 'Actions', truncated: 0, screenshot: null })
    const [, ref] = /textbox "User".*\[ref=(\w+)\]/.exec(whole.snapshot)!
    expect(outcomes(await run(id, [{ fill: { target: { ref }, value: 'by ref' } }]))).toEqual(['DONE'])
    const cut = await observe(id, { max: 100 })
    expect(cut.truncated).toBeGreaterThan(0)
    const list = await observe(id, { target: { css: '#list' }, shot: true })
    expect(list.snapshot).toContain('One')
    expect(list.snapshot).not.toContain('User')
    expect(Buffer.from(list.screenshot!, 'base64').subarray(0, 2).toString('hex')).toBe('ffd8')
  })

  test('its picture waits for what the page takes long to load', async () => {
    const { id } = await start({ initialPrompt: `${pages.url}/late-font` })
    await expect.poll(async () => (await observe(id)).snapshot).toContain('Read')
    const { screenshot } = await observe(id, { shot: true })
    expect(
      Buffer.from(screenshot ?? '', 'base64')
        .subarray(0, 2)
        .toString('hex'),
    ).toBe('ffd8')
  })

  test('what it cannot be is an error with a code of its own', async () => {
    const { id } = await start({ initialPrompt: `${pages.url}/form` }, 'LOADED')
    const failure = async (more: object) => (await tabwire.send(OBSERVE, { id, ...more })).errors![0]!.extensions
    expect(await failure({ max: 1 })).toMatchObject({
      code: 'BAD_USER_INPUT',
      issues: [{ path: ['maxCharacters'], code: 'OUT_OF_RANGE' }],
    })
    expect(await failure({ target: { css: '#missing' } })).toMatchObject({ code: 'NOT_FOUND' })
    expect(await failure({ target: { ref: 'e9999' } })).toMatchObject({ code: 'STALE_REF' })
  })

  test('one page can be asked for alone, whatever the others do', async () => {
    const { id } = await start({ initialPrompt: `${pages.url}/form` }, 'LOADED')
    const steps = [{ openPage: { url: `${pages.url}/dialogs` } }, { click: { target: { css: '#alert' } } }]
    expect(outcomes(await run(id, steps))).toEqual(['DONE', 'DONE'])
    const query = `query ($id: ID!, $page: ID) { session(id: $id) { pages(id: $page) { id observation { title } } } }`
    const all = await tabwire.send(query, { id })
    expect(all.errors).toMatchObject([{ extensions: { code: 'NOT_ACTIONABLE' } }])
    const asked = async (page: string) => (await tabwire.query<{ session: object }>(query, { id, page })).session
    expect(await asked('p1')).toEqual({ pages: [{ id: 'p1', observation: { title: 'Actions' } }] })
    expect(await asked('p9')).toEqual({ pages: [] })
  })
})

describe('what is refused', () => {
  test('every broken rule of every step at once, with its path, before anything is done', async () => {
    const { id } = await start()
    const { errors } = await tryRun(id, [
      { navigate: { url: `${site.url}/title`, timeoutMs: 0 } },
      { screenshot: { fullPage: true, target: { css: 'p' } } },
      { fill: { target: { css: '' }, value: 'x', timeoutMs: 999_999 } },
      { wait: {} },
    ])
    const { code, issues } = errors![0]!.extensions
    expect(code).toBe('BAD_USER_INPUT')
    expect(issues!.map(({ path }) => path.join('.'))).toEqual([
      'actions.0.navigate.timeoutMs',
      'actions.1.screenshot',
      'actions.2.fill.target.css',
      'actions.2.fill.timeoutMs',
      'actions.3.wait',
    ])
    const counted = async (count: number) => {
      const steps = Array.from({ length: count }, () => ({ wait: { timeMs: 1 } }))
      return (await tryRun(id, steps)).errors?.[0]?.extensions
    }
    expect(await counted(0)).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path: ['actions'] }] })
    expect(await counted(101)).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path: ['actions'] }] })
    for (const odd of [[{}], [{ back: {}, reload: {} }], [{ back: null }], [{ fly: {} }]]) {
      expect((await tryRun(id, odd)).errors).toBeDefined()
    }
    expect(await logged(id)).toEqual([])
  })

  test('what is not there, has ended, or is not the caller’s', async () => {
    const { id } = await start()
    const codeOf = async (sessionId: string, more: object = {}) =>
      (await tryRun(sessionId, [{ reload: {} }], more)).errors?.[0]?.extensions.code
    expect(await codeOf('nonsense')).toBe('NOT_FOUND')
    expect(await codeOf(id, { pageId: 'p9' })).toBe('NOT_FOUND')
    const keyOf = async (owner: string, scopes: string[]) => {
      const query = `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret } }`
      const input = { name: 'other', owner, scopes }
      return (await tabwire.query<{ createApiKey: { secret: string } }>(query, { input })).createApiKey.secret
    }
    const viewer = (await tabwire.query<{ viewer: { owner: string } }>('{ viewer { owner } }')).viewer
    expect(await codeOf(id, { apiKey: await keyOf('someone-else', ['READ', 'WRITE']) })).toBe('NOT_FOUND')
    expect(await codeOf(id, { apiKey: await keyOf(viewer.owner, ['READ']) })).toBe('FORBIDDEN')
    await terminate(id)
    expect(await codeOf(id)).toBe('SESSION_NOT_RUNNING')
    expect((await get(id))?.pages).toEqual([])
  })
})

test('URL, title and pages of a session are as a step left them once its outcome is answered', async () => {
  const { id } = await start()
  for (let turn = 0; turn < 12; turn += 1) {
    await run(id, [{ navigate: { url: `${pages.url}/form?${turn}` } }])
    expect(await get(id)).toMatchObject({ currentUrl: `${pages.url}/form?${turn}`, title: 'Actions' })
    const expression = `history.pushState(null, '', '#${turn}'); document.title = 'turn ${turn}'`
    await run(id, [{ evaluate: { expression } }])
    const current = { url: `${pages.url}/form?${turn}#${turn}`, title: `turn ${turn}` }
    expect(await get(id)).toMatchObject({ currentUrl: current.url, title: current.title, pages: [current] })
  }
  await terminate(id)
})
