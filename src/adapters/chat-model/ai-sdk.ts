import { setTimeout as pause } from 'node:timers/promises'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import {
  jsonSchema,
  streamText,
  tool,
  type AssistantModelMessage,
  type FinishReason as SdkFinishReason,
  type LanguageModel,
  type LanguageModelUsage,
  type ModelMessage,
  type ToolSet,
} from 'ai'
import type { AiConfig } from '../../config.ts'
import type { Logger } from '../../logger.ts'
import {
  ChatModelFailed,
  type ChatModel,
  type Conversation,
  type ConversationOptions,
  type FinishReason,
  type ModelCall,
  type ModelInput,
  type ModelStep,
} from '../../ports/tasks/chat-model.ts'
import { History } from './history.ts'
import { costOf, priceOf } from './model-prices.ts'
import { Stall, type StallTiming } from './stall.ts'
import { explainFailure } from './vendor-errors.ts'

/** Time limits and retries of a model call. Milliseconds. */
export interface ChatModelTiming extends StallTiming {
  /** Max attempts. */
  tries: number
  /** Before the second attempt; doubled each time. */
  firstPause: number
  /** If a vendor asks for a longer delay than this, there is no retry. */
  longestPause: number
}

export const DEFAULT_TIMING: ChatModelTiming = {
  firstPart: 120_000,
  nextPart: 60_000,
  tries: 4,
  firstPause: 500,
  longestPause: 60_000,
}

const VENDOR_URLS = { openai: 'https://api.openai.com/v1', anthropic: 'https://api.anthropic.com/v1' } as const

const FINISH_REASONS: Record<SdkFinishReason, FinishReason> = {
  stop: 'STOP',
  'tool-calls': 'TOOL_CALLS',
  length: 'LENGTH',
  'content-filter': 'REFUSED',
  interrupted: 'OTHER',
  error: 'OTHER',
  other: 'OTHER',
}

/** The configured model, through the AI SDK. Nothing is sent before the first call. */
export function createChatModel(config: AiConfig, logger: Logger, timing = DEFAULT_TIMING): ChatModel {
  // Otherwise it would write to standard error directly, bypassing the log.
  globalThis.AI_SDK_LOG_WARNINGS = false
  const asker = new Asker(config, logger, timing)
  return {
    name: config.model,
    isPriced: priceOf(config.model, config.prices) !== null,
    converse: (options) => new SdkConversation(asker, options),
  }
}

function vendorModel({ provider, model, apiKey, baseUrl }: AiConfig): LanguageModel {
  // Vendors don't redirect; a redirect would send the key, the page and the task elsewhere.
  const fetchWithoutRedirects: typeof fetch = (input, init) => fetch(input, { ...init, redirect: 'error' })
  const connection = { fetch: fetchWithoutRedirects, ...(apiKey === null ? {} : { apiKey }) }
  switch (provider) {
    case 'openai':
      // Every gateway supports chat completions, and, unlike responses, vendors do not store them.
      return createOpenAI({ ...connection, baseURL: baseUrl ?? VENDOR_URLS.openai }).chat(model)
    case 'anthropic':
      return createAnthropic({ ...connection, baseURL: baseUrl ?? VENDOR_URLS.anthropic })(model)
    case 'openai-compatible':
      return createOpenAICompatible({
        ...connection,
        name: 'openai-compatible',
        baseURL: baseUrl ?? VENDOR_URLS.openai,
        includeUsage: true,
      })(model)
  }
}

interface Answer {
  step: ModelStep
  reply: AssistantModelMessage[]
}

interface Question {
  system: string
  tools: ToolSet
  messages: ModelMessage[]
}

class SdkConversation implements Conversation {
  readonly #asker: Asker
  readonly #options: ConversationOptions
  readonly #tools: ToolSet
  #history: History | null = null

  constructor(asker: Asker, options: ConversationOptions) {
    this.#asker = asker
    this.#options = options
    this.#tools = Object.fromEntries(
      options.tools.map(({ name, description, inputSchema }) => [
        name,
        tool({ description, inputSchema: jsonSchema(inputSchema) }),
      ]),
    )
  }

  async next(input: ModelInput, signal: AbortSignal): Promise<ModelStep> {
    const history = this.#history ?? new History(input, this.#options.historyCharacters)
    const question = { system: this.#options.system, tools: this.#tools, messages: history.with(input) }
    const { step, reply } = await this.#asker.ask(question, signal)
    history.replied(input, reply)
    this.#history = history
    return step
  }
}

/** Calls a vendor, with retries if they may help. Not by p-retry: the vendor chooses the delay (Retry-After). */
class Asker {
  readonly #config: AiConfig
  readonly #logger: Logger
  readonly #timing: ChatModelTiming
  readonly #model: LanguageModel

  constructor(config: AiConfig, logger: Logger, timing: ChatModelTiming) {
    this.#config = config
    this.#logger = logger
    this.#timing = timing
    this.#model = vendorModel(config)
  }

  async ask(question: Question, signal: AbortSignal): Promise<Answer> {
    const { tries, firstPause, longestPause } = this.#timing
    for (let tried = 1; ; tried += 1) {
      signal.throwIfAborted()
      try {
        return await this.#askOnce(question, signal)
      } catch (error) {
        signal.throwIfAborted()
        const { message, mayHelpAgain, retryAfterMs } = explainFailure(error, this.#config.apiKey)
        // Not the error itself: it contains the whole request.
        this.#logger.warn({ model: this.#config.model, tried, reason: message }, 'a model call failed')
        if (retryAfterMs !== null && retryAfterMs > longestPause) {
          const seconds = Math.ceil(retryAfterMs / 1000)
          throw new ChatModelFailed(`${message} It asks to wait ${seconds} s, which is too long.`)
        }
        if (!mayHelpAgain) throw new ChatModelFailed(message)
        if (tried >= tries) throw new ChatModelFailed(`${message} It was asked ${tried} times.`)
        // The signal's reason is thrown above.
        await pause(retryAfterMs ?? firstPause * 2 ** (tried - 1), undefined, { signal }).catch(() => undefined)
      }
    }
  }

  async #askOnce({ system, tools, messages }: Question, signal: AbortSignal): Promise<Answer> {
    const stall = new Stall(this.#timing)
    try {
      const result = streamText({
        model: this.#model,
        instructions: system,
        messages,
        tools,
        maxRetries: 0,
        abortSignal: AbortSignal.any([signal, stall.signal]),
        onError: () => undefined,
        // A conversation of text and calls needs no downloads; a URL from a model is not to be trusted.
        experimental_download: async (wanted) => wanted.map(() => null),
      })
      let text = ''
      let usage: LanguageModelUsage | null = null
      let finishReason: SdkFinishReason = 'other'
      const calls: ModelCall[] = []
      for await (const part of result.stream) {
        stall.saw(part.type === 'start' || part.type === 'start-step' ? 0 : sizeOfPart(part))
        if (part.type === 'error') throw part.error
        // An abort ends the stream without an error.
        if (part.type === 'abort') break
        if (part.type === 'text-delta') text += part.text
        else if (part.type === 'tool-call') {
          calls.push({ id: part.toolCallId, name: part.toolName, input: inputOf(part) })
        } else if (part.type === 'finish') {
          usage = part.totalUsage
          finishReason = part.finishReason
        }
      }
      signal.throwIfAborted()
      stall.signal.throwIfAborted()
      if (!usage || finishReason === 'error' || finishReason === 'interrupted') {
        throw new Error('the stream ended without an end of the answer')
      }
      const reply = (await result.responseMessages).filter((message) => message.role === 'assistant')
      const price = priceOf(this.#config.model, this.#config.prices)
      const cost = costOf(price, usage.inputTokens, usage.outputTokens)
      return { step: { text, calls, finishReason: FINISH_REASONS[finishReason], cost }, reply }
    } catch (error) {
      throw stall.signal.aborted ? stall.signal.reason : error
    } finally {
      stall.end()
    }
  }
}

/** The arguments of a call, or undefined if they are not valid JSON. */
function inputOf(part: { input: unknown; invalid?: boolean }): unknown {
  return part.invalid && typeof part.input === 'string' ? undefined : part.input
}

function sizeOfPart(part: { type: string; text?: unknown; delta?: unknown }): number {
  const piece = part.text ?? part.delta
  return typeof piece === 'string' ? piece.length : 1
}
