import { expect, test } from 'vitest'
import { startPagesSite } from '../support/pages-site.ts'
import { readEntireLog } from '../support/entire-log.ts'
import { withApp } from '../support/with-app.ts'

const says = (kind: string) =>
  `console.log('${kind}', navigator.userAgent, navigator.language, Intl.DateTimeFormat().resolvedOptions().timeZone)`
const pages = {
  '/': `<title>Workers</title><script>new SharedWorker('/shared.js'); navigator.serviceWorker.register('/service.js')</script>`,
  '/shared.js': says('shared'),
  '/service.js': says('service'),
}
const { tabwire, site, start, terminate } = withApp(() => startPagesSite(pages))

interface Line {
  text: string
  hash: string
  arguments: { value?: unknown }[]
}

test('shared and service workers have the options of their session, and their lines arguments and a hash', async () => {
  const options = { userAgent: 'Tester/1', locale: 'de-CH', timezone: 'Asia/Tokyo' }
  const { id } = await start({ ...options, initialPrompt: site().url })
  const lines = () => readEntireLog<Line>(tabwire(), id, 'text hash arguments', { connection: 'consoleMessages' })
  const texts = async () => (await lines()).map(({ text }) => text).sort()
  await expect.poll(texts).toEqual(['service Tester/1 de-CH Asia/Tokyo', 'shared Tester/1 de-CH Asia/Tokyo'])
  for (const { text, hash, arguments: values } of await lines()) {
    expect(values.map(({ value }) => value).join(' ')).toBe(text)
    expect(hash).toMatch(/^[\w-]{16}$/)
  }
  await terminate(id)
})
