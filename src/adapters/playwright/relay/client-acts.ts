import type { ActionType } from '../../../ports/action.ts'
import type { ClientAct } from '../../../ports/cdp-client.ts'
import { maskOf } from '../actions/keyboard.ts'
import { cutText, cutUrl } from '../cut-text.ts'
import type { CommandParams } from './border.ts'

/** Keys and turns of the wheel that follow each other within this time are one act. */
const GATHER_MS = 500
/** Of the name of a key or a button: a client may invent longer ones. */
const MOST_NAME = 64

interface Gathered {
  type: 'TYPE' | 'SCROLL'
  pageId: string | null
  startedAt: number
  characters: number
  x: number
  y: number
}

/** How a command went: what the browser refused, for people; null: it did it. */
export type Outcome = (error: string | null) => void

/**
 * What a client does that a person at the browser would, told from its commands. What it types is masked: the protocol
 * does not say into which field.
 */
export class ClientActs {
  readonly #acted: (act: ClientAct) => void
  #gathered: Gathered | null = null
  #timer: NodeJS.Timeout | undefined

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
    return (message) => {
      const code = type === 'NAVIGATE' ? 'NAVIGATION_FAILED' : 'NOT_ACTIONABLE'
      const error = message === null ? null : ({ code, message } as const)
      this.#acted({ type, pageId, startedAt, success: !error, error, durationMs: Date.now() - startedAt, details })
    }
  }

  #key(params: CommandParams, pageId: string | null): Outcome | null {
    if (params['type'] !== 'keyDown' && params['type'] !== 'rawKeyDown') return null
    const typed = text(params['text'])
    if (typed !== '' && typed !== '\r') return this.#gather('TYPE', pageId, typed, 0, 0)
    return this.#act('PRESS', pageId, { key: nameOf(params['key']) })
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

  #gather(type: 'TYPE' | 'SCROLL', pageId: string | null, typed: string, x: number, y: number): null {
    if (this.#gathered && (this.#gathered.type !== type || this.#gathered.pageId !== pageId)) this.flush()
    this.#gathered ??= { type, pageId, startedAt: Date.now(), characters: 0, x: 0, y: 0 }
    this.#gathered.characters += typed.length
    this.#gathered.x += x
    this.#gathered.y += y
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.flush(), GATHER_MS)
    return null
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const nameOf = (value: unknown): string => cutText(text(value), MOST_NAME)
const number = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0)

function firstPoint({ touchPoints }: CommandParams): { x?: number; y?: number } {
  const [point] = Array.isArray(touchPoints) ? (touchPoints as unknown[]) : []
  if (typeof point !== 'object' || point === null) return {}
  const { x, y } = point as { x?: unknown; y?: unknown }
  return { x: number(x), y: number(y) }
}
