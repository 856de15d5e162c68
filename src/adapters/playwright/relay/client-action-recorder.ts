import type { ActionError, ActionType } from '../../../ports/browser/action.ts'
import type { ClientAct } from '../../../ports/browser/cdp-client.ts'
import { charactersOf, maskOf } from '../actions/site/secret-fields.ts'
import { cutText, cutUrl } from '../cdp/protocol/cut-text.ts'
import type { LoadedResource } from '../cdp/protocol/loaded-resource.ts'
import type { CommandParams } from './command-policy.ts'

/** Keys and turns of the wheel are one act if each is sent within this time after the answer to the one before. */
const GATHER_MS = 500
/** A busy page answers late, and clients wait for that; one that never answers keeps no entry back for longer. */
const ANSWER_MS = 5_000
/** Of the name of a key or a button: a client may invent longer ones. */
const MAX_NAME = 64

interface Gathered {
  type: 'TYPE' | 'SCROLL'
  pageId: string | null
  startedAt: number
  characters: number
  x: number
  y: number
  unanswered: number
}

/** Bits of the protocol. */
const MODIFIERS = [
  [1, 'Alt'],
  [2, 'Control'],
  [4, 'Meta'],
] as const

/** How a command of the browser's protocol went. */
export interface Outcome {
  /** `message`: what the browser refused, for people; null: it did it, and opened this target if any. */
  answered(message: string | null, openedTargetId?: string | null, resource?: LoadedResource | null): void
  /** It never reached the browser. */
  refused(message: string): void
  /** No answer comes any more, for its page has closed. */
  pageClosed(): void
  /** The connection ended, and with it whoever wanted the answer. */
  disconnected(): void
}

/** Records what clients have the browser load. Null: a command loads nothing. */
export interface ClientLoads {
  begin(method: string, params: CommandParams, pageId: string | null): Outcome | null
}

/**
 * What a client does that a person at the browser would, told from its commands. What it types is masked: the protocol
 * does not say into which field.
 */
export class ClientActionRecorder {
  readonly #acted: (act: ClientAct) => void
  #gathered: Gathered | null = null
  #timer: NodeJS.Timeout | undefined
  /** The character of the key that went down is counted, and may be said once more. */
  #isCharCounted = false

  constructor(acted: (act: ClientAct) => void) {
    this.#acted = acted
  }

  /** Call before the command is sent. Returns what to call with its answer; null: the command is no act by itself. */
  begin(method: string, params: CommandParams, pageId: string | null): Outcome | null {
    switch (method) {
      case 'Page.navigate':
        return this.#act('NAVIGATE', pageId, { url: cutUrl(text(params['url'])) })
      case 'Page.reload':
        return this.#act('RELOAD', pageId, {})
      case 'Page.navigateToHistoryEntry':
        // Which way it goes, only the browser knows.
        return this.#act('NAVIGATE', pageId, { historyEntry: number(params['entryId']) })
      case 'Target.closeTarget':
        return pageId === null ? null : this.#act('CLOSE_PAGE', pageId, {})
      case 'Page.close':
        return this.#act('CLOSE_PAGE', pageId, {})
      case 'Target.createTarget':
        return this.#act('OPEN_PAGE', null, { url: cutUrl(text(params['url'])) })
      case 'Page.handleJavaScriptDialog':
        return this.#act('DIALOG', pageId, { accept: params['accept'] === true })
      case 'Input.insertText':
        return this.#gather('TYPE', pageId, text(params['text']), 0, 0)
      case 'Input.dispatchKeyEvent':
        return this.#key(params, pageId)
      case 'Input.dispatchMouseEvent':
        return this.#mouse(params, pageId)
      case 'Input.dispatchTouchEvent':
        return params['type'] === 'touchStart'
          ? this.#act('CLICK', pageId, { touch: true, ...firstPoint(params) })
          : null
      default:
        return null
    }
  }

  /** Tells what is still being gathered. */
  flush(): void {
    clearTimeout(this.#timer)
    const gathered = this.#gathered
    this.#gathered = null
    if (!gathered) return
    const { type, pageId, startedAt, characters, x, y } = gathered
    const details: ClientAct['details'] = type === 'TYPE' ? { text: maskOf(characters) } : { x, y }
    const durationMs = Date.now() - startedAt
    this.#acted({ type, pageId, startedAt, success: true, error: null, durationMs, details })
  }

  #act(type: ActionType, pageId: string | null, details: ClientAct['details']): Outcome {
    this.flush()
    const startedAt = Date.now()
    const isLoading = type === 'NAVIGATE' || type === 'RELOAD'
    const code = isLoading ? 'NAVIGATION_FAILED' : 'NOT_ACTIONABLE'
    const end = (error: ActionError | null) =>
      this.#acted({ type, pageId, startedAt, success: !error, error, durationMs: Date.now() - startedAt, details })
    return {
      answered: (message) => end(message === null ? null : { code, message }),
      refused: (message) => end({ code: 'BLOCKED', message }),
      // Many a page closes by what it is given: that was done.
      pageClosed: () =>
        end(isLoading ? { code: 'PAGE_CLOSED', message: 'The page closed before it had loaded.' } : null),
      disconnected: () => end({ code, message: 'The connection ended before the browser had answered.' }),
    }
  }

  #key(params: CommandParams, pageId: string | null): Outcome | null {
    const typed = text(params['text'])
    const isCounted = this.#isCharCounted
    this.#isCharCounted = false
    if (params['type'] === 'char') return isCounted || typed === '\r' ? null : this.#gather('TYPE', pageId, typed, 0, 0)
    if (params['type'] === 'keyUp') return this.#release(pageId)
    if (params['type'] !== 'keyDown' && params['type'] !== 'rawKeyDown') return null
    if (typed !== '' && typed !== '\r') return this.#gather('TYPE', pageId, typed, 0, 0)
    const key = nameOf(params['key'])
    const held = number(params['modifiers'])
    // With Alt, too, people type: it is half of AltGr.
    const isText = charactersOf(key) === 1 && ((held & 6) === 0 || (held & 1) !== 0)
    this.#isCharCounted = isText
    if (isText) return this.#gather('TYPE', pageId, key, 0, 0)
    const modifiers = MODIFIERS.filter(([bit, name]) => (held & bit) !== 0 && name !== key).map(([, name]) => name)
    return this.#act('PRESS', pageId, { key: [...modifiers, key].join('+') })
  }

  #mouse(params: CommandParams, pageId: string | null): Outcome | null {
    const { type, x, y } = params
    if (type === 'mouseWheel')
      return this.#gather('SCROLL', pageId, '', number(params['deltaX']), number(params['deltaY']))
    if (type !== 'mousePressed') return null
    const button = nameOf(params['button']).toUpperCase()
    const count = number(params['clickCount'])
    const how = { ...(button === 'LEFT' ? {} : { button }), ...(count > 1 ? { count } : {}) }
    return this.#act('CLICK', pageId, { x: number(x), y: number(y), ...how })
  }

  #gather(type: 'TYPE' | 'SCROLL', pageId: string | null, typed: string, x: number, y: number): Outcome {
    if (this.#gathered && (this.#gathered.type !== type || this.#gathered.pageId !== pageId)) this.flush()
    this.#gathered ??= { type, pageId, startedAt: Date.now(), characters: 0, x: 0, y: 0, unanswered: 0 }
    this.#gathered.characters += charactersOf(typed)
    this.#gathered.x += x
    this.#gathered.y += y
    return this.#awaitAnswer(this.#gathered)
  }

  /** A key goes up: no act, but part of what is being typed. */
  #release(pageId: string | null): Outcome | null {
    const gathered = this.#gathered
    return gathered?.type === 'TYPE' && gathered.pageId === pageId ? this.#awaitAnswer(gathered) : null
  }

  #awaitAnswer(gathered: Gathered): Outcome {
    gathered.unanswered += 1
    this.#awaitNext(gathered)
    const end = () => {
      gathered.unanswered -= 1
      if (this.#gathered === gathered) this.#awaitNext(gathered)
    }
    return { answered: end, refused: end, pageClosed: end, disconnected: end }
  }

  #awaitNext({ unanswered }: Gathered): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.flush(), unanswered > 0 ? ANSWER_MS : GATHER_MS)
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const nameOf = (value: unknown): string => cutText(text(value), MAX_NAME)
const number = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0)

function firstPoint({ touchPoints }: CommandParams): { x?: number; y?: number } {
  const [point] = Array.isArray(touchPoints) ? (touchPoints as unknown[]) : []
  if (typeof point !== 'object' || point === null) return {}
  const { x, y } = point as { x?: unknown; y?: unknown }
  return { x: number(x), y: number(y) }
}
