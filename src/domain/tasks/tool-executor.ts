import type { ObservationOutcome, ObservationRequest } from '../../ports/browser/action.ts'
import type { PageState } from '../../ports/browser/browser.ts'
import type { CallAnswer, ModelCall } from '../../ports/tasks/chat-model.ts'
import type { EntryData } from '../../ports/log/log-entry.ts'
import type { Cost } from '../../ports/tasks/task.ts'
import type { GivenStep } from '../sessions/given-step.ts'
import type { TaskPrompt } from './task-prompt.ts'
import { readCall, VIEW_CHARACTERS, type TaskCall } from './task-tools.ts'

/** A task's access to its session: the same as a client's, through the same queue. */
export interface ToolHost {
  pages(): PageState[]
  observe(request: Omit<ObservationRequest, 'signal'>, signal: AbortSignal): Promise<ObservationOutcome>
  /**
   * In order; the first failure stops the rest. One entry for each, or none if the page has closed. `cost`: of the
   * first.
   */
  act(
    steps: readonly GivenStep[],
    pageId: string | null,
    cost: Cost | null,
    signal: AbortSignal,
  ): Promise<EntryData['ACTION'][]>
}

/** The results of the calls in one response. */
export interface TakenCalls {
  answers: CallAnswer[]
  /** The outcome if the model ends its task; null: it continues. */
  end: { kind: 'FINISH'; callId: string; result: unknown } | { kind: 'GIVE_UP'; reason: string } | null
  /** Why nothing was done, if there was no valid call. */
  nonsense: string | null
  /** Whether the last result shows the current state of the page. */
  isSeen: boolean
}

interface ReadCall {
  call: ModelCall
  read: TaskCall
}

/** A model that requests more calls at once is off track. */
const MAX_CALLS = 20
const SKIPPED = 'Skipped, because a call before it failed.'
const PAGE_CLOSED = 'Not done: the page has closed.'

/** Executes a model's calls, one after the other, and reports the results to it. */
export class ToolExecutor {
  readonly #host: ToolHost
  readonly #prompt: TaskPrompt
  #pageId: string | null = null

  constructor(host: ToolHost, prompt: TaskPrompt) {
    this.#host = host
    this.#prompt = prompt
  }

  /** The current state of the page, for the model. */
  async view(signal: AbortSignal): Promise<string> {
    return (await this.#look({ target: null, maxCharacters: VIEW_CHARACTERS }, signal)).text
  }

  async take(calls: readonly ModelCall[], cost: Cost, signal: AbortSignal): Promise<TakenCalls> {
    const waiting: ReadCall[] = calls.slice(0, MAX_CALLS).map((call) => ({ call, read: readCall(call) }))
    const problems = waiting.flatMap(({ read }) => (read.kind === 'NONSENSE' ? [read.problem] : []))
    const taken: TakenCalls = {
      answers: [],
      end: null,
      nonsense: problems.length === waiting.length ? (problems[0] ?? null) : null,
      isSeen: false,
    }
    const answer = ({ call: { id, name } }: ReadCall, text: string) => taken.answers.push({ callId: id, name, text })
    let failed = false
    let reported: Cost | null = cost
    while (waiting.length > 0 && !taken.end && !failed) {
      const next = waiting[0]!
      if (next.read.kind === 'ACTION') {
        const steps = leadingActions(waiting)
        const entries = await this.#act(waiting.slice(0, steps.length), steps, reported, signal)
        reported = null
        for (const { text, ok } of entries) {
          answer(waiting.shift()!, text)
          if (!ok) failed = true
        }
        taken.isSeen = false
      } else {
        waiting.shift()
        const { text, ok, isSeen } = await this.#other(next.read, signal)
        if (next.read.kind === 'FINISH') taken.end = { ...next.read, callId: next.call.id }
        else if (next.read.kind === 'GIVE_UP') taken.end = next.read
        answer(next, text)
        taken.isSeen = isSeen
        failed = !ok
      }
    }
    for (const skipped of waiting) answer(skipped, SKIPPED)
    // Every call needs a result, or the next request is invalid.
    for (const { id, name } of calls.slice(MAX_CALLS)) {
      taken.answers.push({ callId: id, name, text: `Skipped: at most ${MAX_CALLS} calls in one answer.` })
    }
    return taken
  }

  async #act(
    calls: readonly ReadCall[],
    steps: readonly GivenStep[],
    cost: Cost | null,
    signal: AbortSignal,
  ): Promise<{ text: string; ok: boolean }[]> {
    const entries = await this.#host.act(steps, this.#page(), cost, signal)
    signal.throwIfAborted()
    const last = entries.findLast(({ success, pageId }) => success && pageId !== null)
    if (last) this.#pageId = last.type === 'CLOSE_PAGE' ? null : last.pageId
    return calls.map((_, index) => {
      const entry = entries[index]
      return entry ? { text: this.#outcomeText(entry), ok: entry.success } : { text: PAGE_CLOSED, ok: false }
    })
  }

  #outcomeText({ error, result, details, artifactId }: EntryData['ACTION']): string {
    if (error?.code === 'SKIPPED') return SKIPPED
    // The message may say what covered an element, or where a page navigated: text from the page.
    if (error) return `Failed with ${error.code}.\n${this.#prompt.quote(error.message)}`
    const parts = ['Done.']
    if (artifactId !== null) parts.push('The file is kept for the person.')
    if (result !== null) parts.push(`The result:\n${this.#prompt.quoteJson(result)}`)
    else if (Object.keys(details).length > 0) parts.push(this.#prompt.quoteJson(details))
    return parts.join('\n')
  }

  async #other(read: TaskCall, signal: AbortSignal): Promise<{ text: string; ok: boolean; isSeen: boolean }> {
    switch (read.kind) {
      case 'OBSERVE':
        return this.#look(read.input, signal)
      case 'SWITCH_PAGE': {
        if (!this.#host.pages().some(({ pageId }) => pageId === read.pageId)) {
          return { text: 'Page not found.', ok: false, isSeen: false }
        }
        this.#pageId = read.pageId
        return { text: 'Done.', ok: true, isSeen: false }
      }
      case 'NONSENSE':
        return { text: read.problem, ok: false, isSeen: false }
      default:
        return { text: 'Done.', ok: true, isSeen: true }
    }
  }

  async #look(
    { target, maxCharacters }: Pick<ObservationRequest, 'target' | 'maxCharacters'>,
    signal: AbortSignal,
  ): Promise<{ text: string; ok: boolean; isSeen: boolean }> {
    const pageId = this.#page()
    if (pageId === null) return { text: 'No page is open.', ok: false, isSeen: true }
    const { observation, error } = await this.#host.observe({ pageId, target, maxCharacters }, signal)
    // The stop has a reason that this outcome does not contain.
    signal.throwIfAborted()
    if (error) {
      const text = `The page could not be looked at (${error.code}).\n${this.#prompt.quote(error.message)}`
      return { text, ok: false, isSeen: target === null }
    }
    return { text: this.#prompt.view(pageId, observation, this.#host.pages()), ok: true, isSeen: true }
  }

  /** The model's current page, or the oldest one if it has closed. */
  #page(): string | null {
    const pages = this.#host.pages()
    const current = pages.find(({ pageId }) => pageId === this.#pageId) ?? pages[0]
    this.#pageId = current?.pageId ?? null
    return this.#pageId
  }
}

function leadingActions(calls: readonly ReadCall[]): GivenStep[] {
  const steps: GivenStep[] = []
  for (const { read } of calls) {
    if (read.kind !== 'ACTION') break
    steps.push(read.step)
  }
  return steps
}
