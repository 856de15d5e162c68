import { milliseconds, type Benchmark, type Finding, type Workbench } from './benchmark.ts'
import { openDrivenPage, type DrivenPage } from './driven-page.ts'
import { compare, interleave, timed } from './measure.ts'

const ROUNDS = 120
const PICTURES = 40

const ACTIONS = `mutation ($id: ID!, $value: String!) {
  runActions(sessionId: $id, actions: [
    { click: { target: { css: "#more" } } }
    { fill: { target: { css: "#search" }, value: $value } }
    { extract: { target: { css: "#count" } } }
  ]) { success result }
}`
const SCREENSHOT = `mutation ($id: ID!) {
  runActions(sessionId: $id, actions: [{ screenshot: {} }]) { success artifact { url } }
}`
const OBSERVATION = `query ($id: ID!) {
  session(id: $id) { pages { observation(maxCharacters: 1000000) { snapshot truncated } } }
}`

interface Observed {
  session: { pages: { observation: { snapshot: string; truncated: boolean } | null }[] }
}

interface Taken {
  runActions: { success: boolean; result?: unknown; artifact?: { url: string } }[]
}

/** Latency for a GraphQL client, compared with the same calls in bare Playwright on the same page. */
export const actions = comparison('actions', ROUNDS, {
  id: 'actions',
  what: 'click, fill and extract over one GraphQL request, p50',
  must: 1.25,
  aim: 1.1,
  baseline: async ({ bare }, round) => {
    await bare.click('#more')
    await bare.fill('#search', `lamp ${round}`)
    await bare.innerText('#count')
  },
  measured: (page, round) => take(page, ACTIONS, { value: `lamp ${round}` }),
})

export const screenshot = comparison('screenshot', PICTURES, {
  id: 'screenshot',
  what: 'screenshot, kept as an artifact, until its bytes are downloaded, p50',
  must: 1.3,
  aim: 1.15,
  baseline: ({ bare }) => bare.screenshot(),
  measured: async (page) => {
    const [step] = await take(page, SCREENSHOT)
    const response = await fetch(step!.artifact!.url)
    if (!response.ok || (await response.arrayBuffer()).byteLength === 0) throw new Error('there is no picture')
  },
})

export const observation = comparison('observation', PICTURES, {
  id: 'observation',
  what: 'observation of 600 nodes, p50',
  must: 1.1,
  aim: 1.0,
  baseline: ({ bare }) => bare.ariaSnapshot({ mode: 'ai' }),
  measured: async ({ client, sessionId: id }) => {
    const { session } = await client.query<Observed>(OBSERVATION, { id })
    const observed = session.pages[0]?.observation
    if (!observed?.snapshot.includes('197 left') || observed.truncated) throw new Error('the page was not observed')
  },
})

async function take({ client, sessionId: id }: DrivenPage, query: string, variables = {}) {
  const { runActions } = await client.query<Taken>(query, { id, ...variables })
  if (!runActions.every(({ success }) => success)) throw new Error('a step failed')
  return runActions
}

interface Comparison extends Pick<Finding, 'id' | 'what' | 'must' | 'aim'> {
  baseline: (page: DrivenPage, round: number) => Promise<unknown>
  measured: (page: DrivenPage, round: number) => Promise<unknown>
}

function comparison(name: string, rounds: number, of: Comparison): Benchmark {
  return {
    name,
    async run(workbench) {
      await using page = await openDrivenPage(workbench)
      return [await measure(workbench, page, rounds, of)]
    },
  }
}

async function measure({ meter }: Workbench, page: DrivenPage, rounds: number, of: Comparison): Promise<Finding> {
  const runBaseline = (round: number) => meter.during('baseline', () => timed(() => of.baseline(page, round)))
  const runMeasured = (round: number) => meter.during('measured', () => timed(() => of.measured(page, round)))
  await interleave(Math.ceil(rounds / 8), runBaseline, runMeasured)
  const { baseline, measured, ratio, spread } = compare(await interleave(rounds, runBaseline, runMeasured), 4)
  const { id, what, must, aim } = of
  const shown = { baseline: milliseconds(baseline), measured: milliseconds(measured) }
  return { id, what, figure: ratio, unit: '×', spread, must, aim, ...shown }
}
