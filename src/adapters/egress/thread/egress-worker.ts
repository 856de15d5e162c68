import { parentPort, workerData } from 'node:worker_threads'
import { faultOwner } from '../../../fault-owner.ts'
import { OwnAddresses } from '../../../egress/own-addresses.ts'
import { BrowserProxy } from '../proxy/browser-proxy.ts'
import { Delivery } from '../proxy/delivery.ts'
import { NameResolver } from '../names/name-resolver.ts'
import { HttpForward } from '../proxy/http-forward.ts'
import type { EgressWorkerData, FromWorker, ToWorker } from './worker-messages.ts'

/** The thread of all egress proxies: their traffic must not block the server's event loop. */
const { limits, dnsServers, hostsPath, resolvConfPath, ownAddresses, upstreamCa } = workerData as EgressWorkerData
const port = parentPort
if (!port) throw new Error('egress-worker runs as a worker thread only')
const post = (message: FromWorker) => port.postMessage(message)

const onFault = (error: unknown) => {
  const owner = faultOwner()
  // A fault without an owner ends the thread; the server starts another one.
  if (!owner) throw error
  owner.fail(error)
}
process.on('uncaughtException', onFault)
process.on('unhandledRejection', onFault)

const names = new NameResolver({ servers: dnsServers, hostsPath, resolvConfPath, limitMs: limits.dnsMs })
const delivery = new Delivery((number) => post({ kind: 'handled?', number }))
const own = new OwnAddresses(ownAddresses ? () => ownAddresses : undefined)
const context = { names, own, forward: new HttpForward(), limits, delivery, upstreamCa }
const proxies = new Map<number, BrowserProxy>()

async function open(id: number, wantedPort: number): Promise<void> {
  const proxy = new BrowserProxy(context)
  proxies.set(id, proxy)
  try {
    post({ kind: 'opened', id, port: await proxy.listen(wantedPort) })
  } catch (error) {
    if (proxies.get(id) === proxy) proxies.delete(id)
    post({ kind: 'notOpened', id, reason: (error as Error).message })
  }
}

async function close(id: number): Promise<void> {
  const proxy = proxies.get(id)
  proxies.delete(id)
  await proxy?.close()
  post({ kind: 'closed', id })
}

function assign({ id, assignment, policy }: ToWorker & { kind: 'assign' }): void {
  proxies.get(id)?.assign(
    policy,
    (outcome, unreported) => post({ kind: 'outcome', id, assignment, outcome, unreported }),
    (end) => post({ kind: 'socketEnd', id, assignment, end }),
  )
  post({ kind: 'assigned', id, assignment })
}

port.on('message', (message: ToWorker) => {
  if (message.kind === 'open') void open(message.id, message.port)
  else if (message.kind === 'assign') assign(message)
  else if (message.kind === 'close') void close(message.id)
  else if (message.kind === 'handled') delivery.answered(message.number)
  else post({ kind: 'pong' })
})
