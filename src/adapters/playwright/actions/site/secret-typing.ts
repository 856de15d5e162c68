import type { Locator } from 'playwright'
import { Deadline } from '../../../../async/deadline.ts'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'
import type { TargetRegistry } from '../../cdp/targets/target-registry.ts'
import { SECRET_FIELDS } from './secret-fields.ts'

/** Characters of one text: of a longer one its beginning is enough to find it. */
const MAX_CHARACTERS = 1_000
/** Questions to a page that it has not answered yet: what is typed beyond them counts as secret until one more is asked. */
const MAX_UNANSWERED = 16
/** How long a page may take to tell what has the focus before it is typed into. */
const ANSWER_MS = 500
/** Pages of which something is remembered. */
const MAX_PAGES = 100

/** What is typed into: whether that may be secret, and what it holds so far; null: nobody can tell. */
export interface Focused {
  isSecret: boolean
  value: string | null
}

/** A field for one character is part of several that belong together. A closed shadow tree may have anything in it. */
const LOOK_AT_FOCUS = `(({ selector, symbol }) => {
  const key = Symbol.for(symbol)
  const known = globalThis[key] ?? new WeakSet()
  Object.defineProperty(globalThis, key, { value: known, configurable: true })
  let element = document.activeElement
  for (;;) {
    let inner = element?.shadowRoot?.activeElement ?? null
    try { inner ??= element?.contentDocument?.activeElement ?? null } catch {}
    if (!inner) break
    element = inner
  }
  if (!element) return { isSecret: false, value: null }
  const isHidden = element.localName.includes('-') && !element.shadowRoot && !element.isContentEditable
  if (isHidden || ['iframe', 'frame', 'object', 'embed'].includes(element.localName)) return { isSecret: true, value: null }
  if (element.matches(selector)) known.add(element)
  if (!known.has(element)) return { isSecret: false, value: null }
  const isPart = element.maxLength === 1 || typeof element.value !== 'string'
  return { isSecret: true, value: isPart ? null : element.value.slice(0, ${MAX_CHARACTERS}) }
})(${JSON.stringify(SECRET_FIELDS)})`

/**
 * What comes into pages key by key: by `press`, the live view and clients of the protocol. It is masked at once, for the key
 * that sends a form may follow at once, and no more where the page says that no secret field has the focus. The page is asked
 * before each key, and what its field holds by then is part of the secret: people correct what they type, and paste.
 */
export class SecretTyping {
  readonly #connection: Pick<CdpConnection, 'send'>
  readonly #targets: Pick<TargetRegistry, 'sessionIdOf'>
  readonly #expectSecret: (text: string) => () => void
  readonly #runs = new Map<string | null, Run>()

  constructor(
    connection: Pick<CdpConnection, 'send'>,
    targets: Pick<TargetRegistry, 'sessionIdOf'>,
    expectSecret: (text: string) => () => void,
  ) {
    this.#connection = connection
    this.#targets = targets
    this.#expectSecret = expectSecret
  }

  /** Call before a command that gives a page input is sent. Null: the page is not known. */
  async inputComes(pageId: string | null, method: string, params: Readonly<Record<string, unknown>>): Promise<void> {
    const { type, text } = params
    if (method === 'Input.insertText') return this.typed(pageId, textOf(text))
    if (method === 'Input.dispatchKeyEvent') {
      if (textOf(text) !== '' && text !== '\r' && (type === 'keyDown' || type === 'char')) {
        return this.typed(pageId, textOf(text))
      }
      if (params['key'] === 'Enter' || params['key'] === 'Tab' || text === '\r') this.moved(pageId)
      return
    }
    if (type === 'mousePressed' || type === 'touchStart') this.moved(pageId)
  }

  /**
   * Call before this text is typed, into what has the focus if nothing else is `asked` about. It is masked at once; resolves
   * when it is known whether it has to be, or within a bound.
   */
  async typed(pageId: string | null, text: string, asked?: Promise<Focused | null>): Promise<void> {
    if (text === '') return
    let run = this.#runs.get(pageId)
    if (run && run.length + text.length > MAX_CHARACTERS) {
      this.moved(pageId)
      run = undefined
    }
    if (!run) this.#runs.set(pageId, (run = new Run(this.#expectSecret)))
    const question = run.unanswered < MAX_UNANSWERED ? (asked ?? this.#ask(pageId)) : null
    const answered = question?.then(run.asked())
    run.add(text.slice(0, MAX_CHARACTERS))
    for (const oldest of this.#runs.keys()) {
      if (this.#runs.size <= MAX_PAGES) break
      this.#runs.delete(oldest)
    }
    if (answered) await Deadline.isMet(answered, ANSWER_MS)
  }

  /** Call before something else gets the focus, or what was typed is sent: what a page answers later is of what follows. */
  moved(pageId: string | null): void {
    this.#runs.get(pageId)?.end()
    this.#runs.delete(pageId)
  }

  /** Null: the page does not tell. */
  async #ask(pageId: string | null): Promise<Focused | null> {
    const sessionId = pageId === null ? null : this.#targets.sessionIdOf(pageId)
    if (sessionId === null) return null
    const question = { expression: LOOK_AT_FOCUS, returnByValue: true, silent: true }
    try {
      const { result } = await this.#connection.send('Runtime.evaluate', question, sessionId)
      return focusedIn(result.value)
    } catch {
      return null
    }
  }
}

/** The same of an element that will have the focus. */
export async function lookAt(element: Locator): Promise<Focused | null> {
  const asked = element.evaluateAll((found, { selector, symbol }) => {
    const key = Symbol.for(symbol)
    const known = (Reflect.get(globalThis, key) as WeakSet<Element> | undefined) ?? new WeakSet<Element>()
    Object.defineProperty(globalThis, key, { value: known, configurable: true })
    const field = found[0] instanceof HTMLLabelElement ? found[0].control : found[0]
    if (!field) return null
    if (field.matches(selector)) known.add(field)
    const { value, maxLength } = field as HTMLInputElement
    return { isSecret: known.has(field), value: maxLength === 1 || typeof value !== 'string' ? null : value }
  }, SECRET_FIELDS)
  return focusedIn(await asked.catch(() => null))
}

/** What is typed in a row. */
class Run {
  readonly #expectSecret: (text: string) => () => void
  /** What the field held before. */
  #base = ''
  #typed = ''
  /** How much was typed before `#typed`. */
  #from = 0
  /** How much was typed before each question that is not answered yet. */
  readonly #questions: number[] = []
  #isSecret = false
  #isOver = false
  #expected: { text: string; takeBack: () => void } | null = null
  /** How to take back what was expected before, where the page has not confirmed yet what follows. */
  readonly #earlier: (() => void)[] = []

  constructor(expectSecret: (text: string) => () => void) {
    this.#expectSecret = expectSecret
  }

  get length(): number {
    return this.#base.length + this.#typed.length
  }

  get unanswered(): number {
    return this.#questions.length
  }

  add(text: string): void {
    this.#typed += text
    this.#expect()
  }

  /** Returns what to call with the answer, in the order of the questions; null: there is none. */
  asked(): (focused: Focused | null) => void {
    const at = this.#from + this.#typed.length
    this.#questions.push(at)
    return (focused) => {
      this.#questions.splice(this.#questions.indexOf(at), 1)
      if (!focused || at < this.#from) return
      if (focused.isSecret) this.#isOfSecret(at, focused.value)
      else if (!this.#isOver) this.#isHarmless(at)
    }
  }

  end(): void {
    this.#isOver = true
  }

  #isOfSecret(at: number, value: string | null): void {
    this.#isSecret = true
    if (value === null) return
    const before = this.#textBefore(at)
    // The page may have looked before the key was typed, or after it.
    if (value === before || value === this.#text) return this.#takeBack(this.#earlier)
    // Another field, or one that held something or was corrected: what was typed until then stays a secret.
    this.#expectSecret(before)
    this.#expectSecret(value)
    this.#earlier.length = 0
    this.#expected = null
    this.#base = value
    this.#dropUntil(at)
    this.#expect()
  }

  /** From here to the next question. */
  #isHarmless(at: number): void {
    if (this.#isSecret) this.#expectSecret(this.#textBefore(at))
    this.#takeBack(this.#earlier)
    if (this.#expected) this.#takeBack([this.#expected.takeBack])
    this.#expected = null
    this.#isSecret = false
    this.#base = ''
    this.#dropUntil(Math.min(...this.#questions.filter((later) => later >= at), this.#from + this.#typed.length))
    this.#expect()
  }

  get #text(): string {
    return this.#base + this.#typed
  }

  #textBefore(at: number): string {
    return this.#base + this.#typed.slice(0, at - this.#from)
  }

  #dropUntil(at: number): void {
    this.#typed = this.#typed.slice(at - this.#from)
    this.#from = at
  }

  /** The text before stays expected until it is known that typing continues in the same field. */
  #expect(): void {
    if (this.#text === (this.#expected?.text ?? '')) return
    if (this.#expected) this.#earlier.push(this.#expected.takeBack)
    this.#expected = { text: this.#text, takeBack: this.#expectSecret(this.#text) }
  }

  #takeBack(expected: (() => void)[]): void {
    for (const takeBack of expected.splice(0)) takeBack()
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

function focusedIn(given: unknown): Focused | null {
  if (typeof given !== 'object' || given === null) return null
  const { isSecret, value } = given as { isSecret?: unknown; value?: unknown }
  if (typeof isSecret !== 'boolean') return null
  return { isSecret, value: typeof value === 'string' ? value.slice(0, MAX_CHARACTERS) : null }
}
