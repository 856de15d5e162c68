import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startProgram } from '../support/command.ts'
import { ofKind } from '../support/connect-api.ts'
import { startActionPages } from '../support/site-actions.ts'
import { withApp } from '../support/with-app.ts'

const { site, start, terminate, get, cdpUrlOf, untilLogged } = withApp(startActionPages)

test('Stagehand connects with env LOCAL, acts, is recorded, and leaves the session alive', async () => {
  const session = await start({})
  const script = join(import.meta.dirname, '..', 'clients', 'stagehand', 'drive.mjs')
  const args = [script, await cdpUrlOf(session.id), `${site().url}/form`]
  const { code, stdout, stderr } = await startProgram(process.execPath, args, process.env as Record<string, string>)
    .finished
  expect({ code, stdout, stderr }).toMatchObject({ code: 0, stdout: '{"success":true,"said":"Hello Ada/0"}' })
  const log = await untilLogged(session.id, (entries) => ofKind(entries, 'ClientDetached').length === 1)
  expect(ofKind(log, 'ConsoleMessage').map(({ text }) => text)).toContain('said through Stagehand')
  expect(ofKind(log, 'Navigation').map(({ url }) => url)).toContain(`${site().url}/form`)
  expect(ofKind(log, 'Action').map(({ origin, type }) => [origin, type])).toEqual(
    expect.arrayContaining([
      ['CLIENT', 'NAVIGATE'],
      ['CLIENT', 'CLICK'],
    ]),
  )
  expect((await get(session.id))!.status).toBe('RUNNING')
  await terminate(session.id)
})
