import { ACTION_LIMITS } from '../../ports/browser/action.ts'
import type { ArtifactRecord } from '../../ports/artifacts/artifact.ts'
import type { MachineAddress, MachineChannel, MachineDialer, MessageId } from '../../ports/machines/machine-link.ts'
import type { SessionRecord } from '../../ports/sessions/session-record.ts'
import type { Store } from '../../ports/store/store.ts'
import { isEnded, SessionNotRunning } from '../kernel/session-state.ts'
import type { RemoteSet } from '../sessions/handle-set.ts'
import type { GivenUpload } from '../sessions/session-handle.ts'
import { ChannelCalls } from './channel-calls.ts'
import type { HandleMethod } from './handle-methods.ts'
import { dialingHandshake } from './machine-handshakes.ts'
import type { MachineSecret } from './machine-secret.ts'
import { MachineUnreachable } from './machine-unreachable.ts'
import type { RemoteCalls } from './remote-calls.ts'
import { RemoteSessionHandle, type SessionLink } from './remote-session-handle.ts'

export interface RemoteSessionsOptions {
  calls: RemoteCalls
  dialer: MachineDialer
  secret: MachineSecret
  store: Pick<Store, 'findSession'>
  /** The internal URL of a machine. Null: it is not known. */
  findUrl(address: MachineAddress): Promise<string | null>
  /** Saves an upload of a session that has ended. */
  saveUpload(
    session: SessionRecord,
    file: GivenUpload,
    content: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<ArtifactRecord>
}

/** Members of a handle that wait for a page, or for their turn: longer than their own limits. */
const SLOW: ReadonlySet<HandleMethod> = new Set(['act', 'observe', 'dispatchInput'])
const SLOW_MS = ACTION_LIMITS.requestMs + 60_000
const USUAL_MS = 60_000

/** Sessions in one question: a message is small. */
const MAX_ASKED = 1_000

/** The sessions of other machines. */
export class RemoteSessions {
  readonly #options: RemoteSessionsOptions

  constructor(options: RemoteSessionsOptions) {
    this.#options = options
  }

  /** The handle of a session that another machine runs, or ran until now. */
  handle(record: SessionRecord): RemoteSessionHandle {
    const { id: sessionId, owner } = record
    const link: SessionLink = {
      sessionId,
      owner,
      ask: <T>(method: HandleMethod, args: readonly unknown[], signal?: AbortSignal) =>
        this.#orEnded(sessionId, () => this.#ask<T>(record, method, args, signal)),
      open: () => this.#orEnded(sessionId, () => this.#openSession(record)),
      saveUpload: (...upload) => this.saveUpload(record, ...upload),
    }
    return new RemoteSessionHandle(link)
  }

  /** Saves an upload of a session that has ended. */
  saveUpload(...given: Parameters<RemoteSessionsOptions['saveUpload']>): Promise<ArtifactRecord> {
    return this.#options.saveUpload(...given)
  }

  /** Sessions of other machines, as they are asked together. */
  sets(records: readonly SessionRecord[]): RemoteSet[] {
    const groups = Map.groupBy(records, ({ machineId, machineEpoch }) => `${machineId} ${machineEpoch}`)
    return [...groups.values()].flatMap((group) => {
      const count = Math.ceil(group.length / MAX_ASKED)
      return Array.from({ length: count }, (_, index) => this.#set(group.slice(index * MAX_ASKED).slice(0, MAX_ASKED)))
    })
  }

  #set(records: readonly SessionRecord[]): RemoteSet {
    const to = addressOf(records[0]!)
    const sessionIds = records.map(({ id }) => id)
    return {
      sessionIds,
      ask: async (question, answerMs) => {
        const said = { say: 'ASK', sessionIds, question, answerMs } as const
        return new Map((await this.#result(to, said, USUAL_MS)) as [string, never][])
      },
    }
  }

  async #ask<T>(
    record: SessionRecord,
    method: HandleMethod,
    given: readonly unknown[],
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const args = [...given]
    const said = { say: 'CALL', sessionId: record.id, method, args, isAborted: signal?.aborted ?? false } as const
    const timeoutMs = SLOW.has(method) ? SLOW_MS : USUAL_MS
    return (await this.#result(addressOf(record), said, timeoutMs, signal, async () => {
      const calls = await this.#openSession(record)
      return await calls.ask(method, args, signal).finally(() => calls.close())
    })) as T
  }

  async #result(
    to: MachineAddress,
    said: Parameters<RemoteCalls['ask']>[1],
    timeoutMs: number,
    signal?: AbortSignal,
    byChannel?: () => Promise<unknown>,
  ): Promise<unknown> {
    const outcome = await this.#options.calls.ask(to, said, timeoutMs, signal)
    if (outcome === null) {
      if (!byChannel) throw new MachineUnreachable('the call is too large')
      return await byChannel()
    }
    return 'result' in outcome ? outcome.result : await this.#fetch(to, outcome.fetchedBy, signal)
  }

  async #fetch(to: MachineAddress, call: MessageId, signal: AbortSignal | undefined): Promise<unknown> {
    return ChannelCalls.fetch(await this.#dial(to), call, signal)
  }

  async #openSession(record: SessionRecord): Promise<ChannelCalls> {
    return ChannelCalls.ofSession(await this.#dial(addressOf(record)), record.id)
  }

  async #dial(to: MachineAddress): Promise<MachineChannel> {
    const { findUrl, dialer, secret } = this.#options
    const url = await findUrl(to)
    if (url === null) throw new MachineUnreachable('its internal URL is not known')
    try {
      return await dialer.open(url, dialingHandshake(secret, to))
    } catch {
      throw new MachineUnreachable(`no connection to ${url}`)
    }
  }

  /** A machine that cannot be reached may have stopped: then its sessions have ended, or will soon. */
  async #orEnded<T>(sessionId: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof MachineUnreachable)) throw error
      const record = await this.#options.store.findSession(sessionId).catch(() => undefined)
      if (record === null || (record && isEnded(record.status))) throw new SessionNotRunning()
      throw error
    }
  }
}

/** A session without an epoch is of a server that shares nothing but the database. */
function addressOf({ machineId, machineEpoch }: SessionRecord): MachineAddress {
  return { machineId, epoch: machineEpoch ?? 0 }
}
