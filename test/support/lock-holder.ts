import { openDataDirectory } from '../../src/data-directory.ts'

// A process that opens the data directory and holds it until told to end, for tests of the lock between processes.
const [path = ''] = process.argv.slice(2)
try {
  const directory = await openDataDirectory(path, null)
  await directory.announce(`http://127.0.0.1/of/${process.pid}`)
  process.send?.({ kind: 'open', machineId: directory.machineId, secret: directory.adminKey.secret })
  process.once('message', () => {
    void directory.close().then(() => process.disconnect())
  })
} catch (error) {
  process.send?.({ kind: 'refused', message: error instanceof Error ? error.message : String(error) })
  process.disconnect()
}
