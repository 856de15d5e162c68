import type { AssistantModelMessage, ModelMessage } from 'ai'
import type { CallAnswer, ModelInput } from '../../ports/tasks/chat-model.ts'

/** A model's response in the vendor's format, and the input that followed it. */
interface Exchange {
  reply: readonly AssistantModelMessage[]
  input: ModelInput
}

/** The rest of a shortened result. */
const SHORTENED = 300

/**
 * The conversation so far, bounded: only the newest view of the page is repeated, the oldest results are shortened, and
 * then the oldest exchanges are omitted. The first message, the task, always stays.
 */
export class History {
  readonly #budget: number
  readonly #first: ModelInput
  readonly #exchanges: Exchange[] = []
  #pending: readonly AssistantModelMessage[] | null = null

  constructor(first: ModelInput, budget: number) {
    this.#first = first
    this.#budget = budget
  }

  /** The messages to send for this input; nothing is recorded until `replied`. */
  with(input: ModelInput): ModelMessage[] {
    return render(this.#first, this.#withPending(input), this.#budget)
  }

  /** The model responded to the input. */
  replied(input: ModelInput, reply: readonly AssistantModelMessage[]): void {
    if (this.#pending) this.#exchanges.push({ reply: this.#pending, input })
    this.#pending = reply
  }

  #withPending(input: ModelInput): readonly Exchange[] {
    return this.#pending ? [...this.#exchanges, { reply: this.#pending, input }] : this.#exchanges
  }
}

function render(first: ModelInput, exchanges: readonly Exchange[], budget: number): ModelMessage[] {
  const newest = exchanges.length - 1
  const rendered = exchanges.map(({ reply, input }, index) => [...reply, ...toMessages(input, index === newest)])
  let size = rendered.reduce((sum, messages) => sum + sizeOf(messages), 0)
  for (let index = 0; index < newest && size > budget; index += 1) {
    const { reply, input } = exchanges[index]!
    const shortened = [...reply, ...toMessages({ ...input, answers: input.answers.map(shorten) }, false)]
    size += sizeOf(shortened) - sizeOf(rendered[index]!)
    rendered[index] = shortened
  }
  let left = 0
  while (left < newest && size > budget) {
    size -= sizeOf(rendered[left]!)
    left += 1
  }
  const opening = left > 0 ? { ...first, text: `${first.text}\n\n[${left} earlier steps are not told again.]` } : first
  return [...toMessages(opening, exchanges.length === 0), ...rendered.slice(left).flat()]
}

const shorten = (answer: CallAnswer): CallAnswer =>
  answer.text.length > SHORTENED ? { ...answer, text: `${answer.text.slice(0, SHORTENED)} [shortened]` } : answer

function toMessages({ text, answers, view }: ModelInput, isNewest: boolean): ModelMessage[] {
  const seen = view === null ? null : isNewest ? view : '[What could be seen then is not told again.]'
  const said = [text, seen].filter((part) => part !== null).join('\n\n')
  if (answers.length === 0) return [{ role: 'user', content: said }]
  // Not as a separate message: some models accept no user message right after the results of their calls.
  const last = answers.length - 1
  return [
    {
      role: 'tool',
      content: answers.map(({ callId, name, text: answer }, index) => ({
        type: 'tool-result',
        toolCallId: callId,
        toolName: name,
        output: { type: 'text', value: index === last && said ? `${answer}\n\n${said}` : answer },
      })),
    },
  ]
}

const sizeOf = (messages: readonly ModelMessage[]): number => JSON.stringify(messages).length
