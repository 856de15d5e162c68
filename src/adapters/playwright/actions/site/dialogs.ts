import type { BrowserContext, Dialog, Page } from 'playwright'
import type { Logger } from '../../../../logger.ts'
import { tenantContext } from '../../library/tenant-context.ts'
import { ActionFailure } from './action-failure.ts'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'
import { answers, type PausedTargets } from '../../cdp/targets/page-answers.ts'
import type { TargetRegistry } from '../../cdp/targets/target-registry.ts'
import { ClientInputs, type InputClient } from './client-inputs.ts'
import { UnreportedDialogs } from './unreported-dialogs.ts'

interface Answer {
  accept: boolean
  promptText: string | null
}

/** Who is expected to answer a dialog: the steps of the session, the client whose input it follows, any client, nobody. */
type Addressee = 'steps' | InputClient | 'clients' | 'nobody'

interface OpenDialog {
  dialog: Dialog
  addressee: Addressee
  /** On the clock of performance.now. */
  closesAt: number
  timer: NodeJS.Timeout
}

/** A dialog that a step or a client's input opened stays open so long: whoever drives the page has to see it first. */
const AFTER_INPUT_MS = 30_000
/** How long a page may be busy, once a dialog is answered, until it opens the next or answers: longer, and it hangs. */
const NEXT_MS = 5_000
/** One that the page opened by itself: nobody may be there, and until it is answered the page stands still. */
const BY_ITSELF_MS = 1_000
/** Attached clients are told of it too, and may answer. */
const WITH_CLIENTS_MS = 5_000

const timeFor = (addressee: Addressee): number => {
  if (addressee === 'nobody') return BY_ITSELF_MS
  return addressee === 'clients' ? WITH_CLIENTS_MS : AFTER_INPUT_MS
}

/**
 * The dialogs of a session's pages. They are answered by a `dialog` step, the open one or, said beforehand, the next, or
 * by an attached client; what nobody answers in time is dismissed. Leaving a page is accepted: at once where a step leaves
 * it or no client is attached, else when no client has answered in time.
 */
export class Dialogs {
  readonly #inputs: ClientInputs
  readonly #unreported: UnreportedDialogs
  readonly #pausedTargets: PausedTargets
  readonly #logger: Logger
  /** By page; those of popups that Playwright has not made a page of yet, by themselves. */
  readonly #open = new Map<Page | Dialog, OpenDialog>()
  readonly #armed = new Map<Page, Answer>()
  readonly #watchers = new Map<Page, (dialog: Dialog) => void>()
  readonly #stays = new Map<Page, (settled: Promise<void>) => void>()

  constructor(
    context: BrowserContext,
    targets: Pick<TargetRegistry, 'source'>,
    connection: Pick<CdpConnection, 'on' | 'notify'> & { barrier: PausedTargets },
    logger: Logger,
  ) {
    this.#inputs = new ClientInputs(connection, targets)
    const unreportedMs = () => timeFor(this.#inputs.hasClients ? 'clients' : 'nobody')
    this.#unreported = new UnreportedDialogs(connection, targets, unreportedMs)
    this.#pausedTargets = connection.barrier
    this.#logger = logger
    for (const one of new Set([context, tenantContext(context)])) {
      one.on('dialog', (dialog) => this.#opened(dialog))
      // By whoever answered it.
      one.on('dialogclosed', (dialog) => this.#closed(dialog))
      one.on('page', (page) => this.#forgetWhenClosed(page))
      for (const page of one.pages()) this.#forgetWhenClosed(page)
    }
  }

  /**
   * Answers the open dialog, and returns it with the one that the page opened at once after it; null: none is open, so
   * the answer is for the next.
   */
  async answer(page: Page, answer: Answer): Promise<{ dialog: Dialog; next: Dialog | null } | null> {
    const open = this.#open.get(page)
    if (!open) {
      this.#armed.set(page, answer)
      return null
    }
    clearTimeout(open.timer)
    this.#open.delete(page)
    const { opened, stop } = this.watch(page)
    try {
      await give(open.dialog, answer)
      const next = await Promise.race([opened, answers(page, NEXT_MS, this.#pausedTargets).then(() => null)])
      return { dialog: open.dialog, next }
    } finally {
      stop()
    }
  }

  /** The dialog that holds up the page now. */
  openOn(page: Page): Dialog | null {
    return this.#open.get(page)?.dialog ?? null
  }

  /** Resolves with a dialog that opens, and is not answered, while a step is taken on the page; call `stop` after it. */
  watch(page: Page): { opened: Promise<Dialog>; stop: () => void } {
    const { promise: opened, resolve } = Promise.withResolvers<Dialog>()
    this.#watchers.set(page, resolve)
    return { opened, stop: () => this.#watchers.delete(page) }
  }

  /** Returns the client's part: to be told of its input, and when it leaves. */
  leaveToClient(): { client: InputClient; leave: () => void } {
    const client = this.#inputs.attach()
    const leave = () => {
      this.#inputs.detach(client)
      for (const [key, { addressee }] of this.#open) {
        if (addressee !== client && addressee !== 'clients') continue
        this.#readdress(key, this.#inputs.hasClients ? 'clients' : 'nobody')
      }
    }
    return { client, leave }
  }

  #drop(key: Page | Dialog): void {
    clearTimeout(this.#open.get(key)?.timer)
    this.#open.delete(key)
  }

  #closed(dialog: Dialog): void {
    const key = dialog.page() ?? dialog
    if (this.#open.get(key)?.dialog === dialog) this.#drop(key)
  }

  /** Nobody gets more time for it than there was. */
  #readdress(key: Page | Dialog, addressee: Addressee): void {
    const open = this.#open.get(key)!
    clearTimeout(open.timer)
    const left = Math.max(0, open.closesAt - performance.now())
    this.#await(key, open.dialog, addressee, Math.min(left, timeFor(addressee)))
  }

  #await(key: Page | Dialog, dialog: Dialog, addressee: Addressee, milliseconds: number): void {
    const late = () => {
      this.#open.delete(key)
      void this.#give(dialog, { accept: dialog.type() === 'beforeunload', promptText: null })
    }
    const closesAt = performance.now() + milliseconds
    this.#open.set(key, { dialog, addressee, closesAt, timer: setTimeout(late, milliseconds) })
  }

  /**
   * Calls back when the page asks whether to leave it, and the answer is no; what it is given resolves once the page is
   * itself again. Returns how to stop that. (Measured: a page that is left while it still hears the answer asks nothing
   * and stays until the time is up.)
   */
  onStay(page: Page, stays: (settled: Promise<void>) => void): () => void {
    this.#stays.set(page, stays)
    return () => this.#stays.delete(page)
  }

  dispose(): void {
    for (const { timer } of this.#open.values()) clearTimeout(timer)
    this.#open.clear()
    this.#unreported.dispose()
  }

  #opened(dialog: Dialog): void {
    this.#unreported.reported(dialog)
    const page = dialog.page()
    const author = this.#inputs.authorOf(dialog)
    const armed = page === null ? undefined : this.#armed.get(page)
    const watcher = page === null ? undefined : this.#watchers.get(page)
    const isLeaving = dialog.type() === 'beforeunload'
    const isOfStep = watcher !== undefined || (page !== null && this.#stays.has(page))
    const isUnattended = !this.#inputs.hasClients && (page === null || isLeaving)
    if (armed || isUnattended || (isLeaving && isOfStep)) {
      if (page !== null && armed) this.#armed.delete(page)
      const answer = armed ?? { accept: isLeaving, promptText: null }
      const given = this.#give(dialog, answer)
      if (page !== null && isLeaving && !answer.accept) {
        this.#stays.get(page)?.(given.then(() => answers(page, NEXT_MS, this.#pausedTargets)).then(() => undefined))
      }
      return
    }
    const addressee = watcher ? 'steps' : (author ?? (this.#inputs.hasClients ? 'clients' : 'nobody'))
    this.#await(page ?? dialog, dialog, addressee, timeFor(addressee))
    watcher?.(dialog)
  }

  #give(dialog: Dialog, answer: Answer): Promise<void> {
    return give(dialog, answer).catch((error: unknown) =>
      this.#logger.debug({ err: error }, 'a dialog was gone before its answer'),
    )
  }

  #forgetWhenClosed(page: Page): void {
    page.once('close', () => {
      this.#drop(page)
      this.#armed.delete(page)
    })
  }
}

async function give(dialog: Dialog, { accept, promptText }: Answer): Promise<void> {
  if (!accept) return dialog.dismiss()
  await dialog.accept(dialog.type() === 'prompt' ? (promptText ?? dialog.defaultValue()) : undefined)
}

export const describeDialog = (dialog: Dialog) => ({ type: dialog.type(), message: dialog.message().slice(0, 1_000) })

/** Throws ActionFailure when a dialog holds up the page, which answers nothing until that is answered itself. */
export function requireNoDialog(dialogs: Dialogs, page: Page): void {
  const blocking = dialogs.openOn(page)
  if (!blocking) return
  const { type, message } = describeDialog(blocking)
  const what = `${type}: ${message}`
  throw new ActionFailure('NOT_ACTIONABLE', `A dialog holds up the page (${what}). Answer it with a dialog step.`)
}
