import { Server } from 'node:http'
import { join } from 'node:path'

/*
 * Preloaded into a server by a test: while the server reads a request, something unrelated, with an owner of its own,
 * throws in a tick.
 */
const { ownedBy } = await import(join(import.meta.dirname, '..', '..', 'src', 'fault-owner.ts'))

const elsewhere = { fail: ({ message }) => void process.stdout.write(`${message}\n`) }

const { emit } = Server.prototype
Server.prototype.emit = function (name, ...args) {
  if (name === 'request') {
    const [{ method, url }] = args
    const fault = new Error(`a fault beside ${method} ${url}`)
    ownedBy(elsewhere, () =>
      process.nextTick(() => {
        throw fault
      }),
    )
  }
  return emit.call(this, name, ...args)
}
