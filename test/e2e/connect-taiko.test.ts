import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SessionBridge } from '../../src/bridge/session-bridge.ts'
import { startProgram } from '../support/command.ts'
import { ofKind } from '../support/connect-api.ts'
import { startActionPages } from '../support/site-actions.ts'
import { withApp } from '../support/with-app.ts'

const { site, start, terminate, get, cdpUrlOf, untilLogged } = withApp(startActionPages)

test('taiko drives the page with a host and a port alone, is recorded, and leaves the session alive', async () => {
  const session = await start({})
  const bridge = await SessionBridge.open(await cdpUrlOf(session.id), 0)
  const script = join(import.meta.dirname, '..', 'clients', 'taiko', 'drive.mjs')
  const args = [script, new URL(bridge.url).port, `${site().url}/form`]
  const { code, stdout, stderr } = await startProgram(process.execPath, args, process.env as Record<string, string>)
    .finished
  expect({ code, stdout, stderr }).toMatchObject({ code: 0, stdout: '{"said":"Hello Ada/0"}' })
  await bridge.close()
  const log = await untilLogged(session.id, (entries) => ofKind(entries, 'ClientDetached').length > 0)
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
