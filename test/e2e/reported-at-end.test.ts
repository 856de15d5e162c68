import { describe, expect, test } from 'vitest'
import { startScriptedSite } from '../adapters/playwright/scripted-site.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'

const scripts = {
  quiet: `for (let i = 1; i <= 50; i++) console.log('line ' + i); tell('quiet')`,
  busy: `tell('busy'); const until = Date.now() + 50; while (Date.now() < until); console.log('line 1')`,
  ticker: `let lines = 0; setInterval(() => console.log('line ' + ++lines)); setTimeout(() => tell('ticker'), 50)`,
}

const { tabwire, site, start, terminate } = withApp(
  () => startScriptedSite(scripts),
  { warmBrowsers: 0 },
  { deadlines: { flush: 20_000, files: 60_000 } },
)

const FIELDS = '__typename ... on ConsoleMessage { text }'

describe('an end of which everything was heard says nothing of anything missing', () => {
  test.each([
    ['a page that is quiet', 'quiet', 50],
    ['a page that is busy and answers by itself', 'busy', 1],
    ['a page that goes on until then', 'ticker', null],
  ])('%s', async (_, script, lines) => {
    const { id } = await start({ initialPrompt: `${site().url}/page/${script}` })
    await site().reported(script)
    await terminate(id)
    const log = await readEntireLog<{ __typename: string; text?: string }>(tabwire(), id, FIELDS)
    const texts = log.filter(({ __typename }) => __typename === 'ConsoleMessage').map(({ text }) => text)
    expect(texts).toEqual(Array.from({ length: lines ?? texts.length }, (_unused, index) => `line ${index + 1}`))
    expect(texts).not.toEqual([])
    expect(log).not.toContainEqual(expect.objectContaining({ __typename: 'EntriesDropped' }))
  })
})
