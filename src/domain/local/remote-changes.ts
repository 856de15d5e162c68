import type { Logger } from 'pino'
import { unowned } from '../../fault-owner.ts'
import type { Bus } from '../../ports/machines/bus.ts'
import type { SessionRecord } from '../../ports/sessions/session-record.ts'
import type { SessionFilter, Store } from '../../ports/store/store.ts'
import { Throttle } from '../kernel/throttle.ts'
import { isEnded, LIVE_STATUSES } from '../kernel/session-state.ts'

/** Wake-ups make up for most of it: those of one session. */
const POLL_MS = 2_000
const WAKE_UP_MS = 250
/** Of an owner, the newest. */
const MAX_FOLLOWED = 500
/** More than these do not begin and end between two looks. */
const MAX_RECENT = 100
/** Sessions per query. */
const STEP = 500

/** Reads what is followed: the sessions, and whether further ones may come. */
interface Followed {
  read(known: Iterable<string>): Promise<SessionRecord[]>
  /** Absent: by polling alone. */
  wakeUps?(listener: () => void): () => void
}

export interface RemoteChangesOptions {
  store: Pick<Store, 'findSession' | 'findSessions' | 'listSessions'>
  bus: Pick<Bus, 'subscribe'>
  machineId: string
  /** Whether the session is of this process, which announces its changes itself. */
  isHere(sessionId: string): boolean
  /** Whether other machines may have sessions. */
  hasOthers(): boolean
  announce(record: SessionRecord): void
  logger: Logger
}

/**
 * Announces the changes of other machines' sessions as their rows show them, while somebody here follows them. States in
 * between may be skipped.
 */
export class RemoteChanges {
  readonly #options: RemoteChangesOptions
  readonly #watches = new Map<string, Watch>()

  constructor(options: RemoteChangesOptions) {
    this.#options = options
  }

  /** One session. Dispose of it. */
  session(sessionId: string): RemoteWatch {
    const { store, bus } = this.#options
    return this.#watch(`session ${sessionId}`, {
      read: async () => {
        const record = await store.findSession(sessionId)
        return record ? [record] : []
      },
      wakeUps: (listener) => bus.subscribe(sessionId, listener),
    })
  }

  /** The live sessions of an owner, and their ends. Dispose of it. */
  owner(owner: string): RemoteWatch {
    const { store, hasOthers, machineId } = this.#options
    const newest = async (status: SessionFilter['status'], limit: number) =>
      (await store.listSessions({ owner, filter: { status }, direction: 'forward', limit })).records
    /** The newest sessions that had ended at the last look; null: there was none. */
    let recent: ReadonlySet<string> | null = null
    return this.#watch(`owner ${owner}`, {
      read: async (known) => {
        const before = new Set(known)
        const isAlone = !hasOthers()
        const live = isAlone ? [] : await newest(LIVE_STATUSES, MAX_FOLLOWED)
        const ids = new Set(live.map(({ id }) => id))
        const ended = await this.#find([...before].filter((id) => !ids.has(id)))
        const lately = isAlone ? null : (await newest(null, MAX_RECENT)).filter(({ status }) => isEnded(status))
        const missed = lately?.filter(({ id }) => recent?.has(id) === false && !before.has(id)) ?? []
        recent = lately && new Set(lately.map(({ id }) => id))
        // Those of this machine announce themselves: one that ends meanwhile would be announced as live again.
        return [...live, ...ended, ...missed].filter((record) => record.machineId !== machineId)
      },
    })
  }

  async #find(sessionIds: readonly string[]): Promise<SessionRecord[]> {
    const found: SessionRecord[] = []
    for (let at = 0; at < sessionIds.length; at += STEP) {
      found.push(...(await this.#options.store.findSessions(sessionIds.slice(at, at + STEP))))
    }
    return found
  }

  #watch(key: string, followed: Followed): RemoteWatch {
    let watch = this.#watches.get(key)
    if (!watch) this.#watches.set(key, (watch = unowned(() => new Watch(followed, this.#options))))
    const current = watch
    current.followers += 1
    let isOpen = true
    return {
      look: () => current.look(),
      close: () => {
        if (!isOpen) return
        isOpen = false
        current.followers -= 1
        if (current.followers > 0) return
        current.close()
        this.#watches.delete(key)
      },
    }
  }
}

export interface RemoteWatch {
  /** Announces what has changed, and returns the sessions of other machines as they are. */
  look(): Promise<SessionRecord[]>
  close(): void
}

/** Shared by all who follow the same. */
class Watch {
  followers = 0
  readonly #followed: Followed
  readonly #options: RemoteChangesOptions
  readonly #timer: NodeJS.Timeout
  readonly #wakeUps: Throttle
  readonly #unsubscribe: (() => void) | undefined
  /** The live ones, as they were announced. */
  readonly #known = new Map<string, string>()
  #looking: Promise<unknown> = Promise.resolve()
  #isWaiting = false

  constructor(followed: Followed, options: RemoteChangesOptions) {
    this.#followed = followed
    this.#options = options
    const look = () => this.#lookLater()
    this.#timer = setInterval(look, POLL_MS).unref()
    this.#wakeUps = new Throttle(WAKE_UP_MS, look)
    this.#unsubscribe = followed.wakeUps?.(() => this.#wakeUps.touch())
  }

  look(): Promise<SessionRecord[]> {
    const look = this.#looking.then(() => unowned(() => this.#look()))
    this.#looking = look.catch(() => {})
    return look
  }

  close(): void {
    clearInterval(this.#timer)
    this.#wakeUps.close()
    this.#unsubscribe?.()
  }

  #lookLater(): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    const looked = this.look().catch((error: unknown) => {
      this.#options.logger.debug({ err: error }, 'sessions of other machines could not be read')
    })
    void looked.finally(() => (this.#isWaiting = false))
  }

  async #look(): Promise<SessionRecord[]> {
    const { isHere, announce } = this.#options
    const read = await this.#followed.read(this.#known.keys())
    const records = read.filter(({ id }) => !isHere(id))
    for (const record of records) {
      const state = JSON.stringify(record)
      if (this.#known.get(record.id) === state) continue
      if (isEnded(record.status)) this.#known.delete(record.id)
      else this.#known.set(record.id, state)
      announce(record)
    }
    return records
  }
}
