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

interface Taken {
  runActions: { success: boolean; result?: unknown; artifact?: { url: string } }[]
}

/** What a client of GraphQL waits for, against the same calls in bare Playwright on the same page. */
export const drive: Benchmark = {
  name: 'actions',
  async run(workbench) {
    await using page = await openDrivenPage(workbench)
    return [
      await measure(workbench, ROUNDS, {
        id: 'actions',
        what: 'click, fill and extract over one GraphQL request',
        must: 1.25,
        aim: 1.1,
        baseline: async (round) => {
          await page.bare.click('#more')
          await page.bare.fill('#search', `lamp ${round}`)
          await page.bare.innerText('#count')
        },
        measured: (round) => take(page, ACTIONS, { value: `lamp ${round}` }),
      }),
      await measure(workbench, PICTURES, {
        id: 'screenshot',
        what: 'screenshot, kept as an artifact, until its bytes are downloaded',
        must: 1.3,
        aim: 1.15,
        baseline: async () => {
          await page.bare.screenshot()
        },
        measured: async () => {
          const [step] = await take(page, SCREENSHOT)
          const response = await fetch(step!.artifact!.url)
          if (!response.ok || (await response.arrayBuffer()).byteLength === 0) throw new Error('there is no picture')
        },
      }),
      await measure(workbench, PICTURES, {
        id: 'observation',
        what: 'observation of 600 nodes',
        must: 1.1,
        aim: 1.0,
        baseline: async () => {
          await page.bare.ariaSnapshot({ mode: 'ai' })
        },
        measured: async () => {
          const { client, sessionId: id } = page
          await client.query(OBSERVATION, { id })
        },
      }),
    ]
  },
}

async function take({ client, sessionId: id }: DrivenPage, query: string, variables = {}) {
  const { runActions } = await client.query<Taken>(query, { id, ...variables })
  if (!runActions.every(({ success }) => success)) throw new Error('a step failed')
  return runActions
}

interface Comparison extends Pick<Finding, 'id' | 'what' | 'must' | 'aim'> {
  baseline: (round: number) => Promise<unknown>
  measured: (round: number) => Promise<unknown>
}

async function measure({ meter }: Workbench, rounds: number, of: Comparison): Promise<Finding> {
  const runBaseline = (round: number) => timed(() => of.baseline(round))
  const runMeasured = (round: number) => timed(() => of.measured(round))
  await interleave(Math.ceil(rounds / 8), runBaseline, runMeasured)
  const pairs = await meter.during('measured', () => interleave(rounds, runBaseline, runMeasured))
  const { baseline, measured, ratio, spread } = compare(pairs, 4)
  const { id, what, must, aim } = of
  const shown = { baseline: milliseconds(baseline), measured: milliseconds(measured) }
  return { id, what, figure: ratio, unit: '×', spread, must, aim, ...shown }
}
