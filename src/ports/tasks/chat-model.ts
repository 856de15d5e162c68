import type { Json } from '../base/json.ts'
import type { Cost } from './task.ts'

/** A tool that a model may call, by its name. */
export interface ModelTool {
  name: string
  description: string
  /** JSON Schema of an object. */
  inputSchema: { [key: string]: Json }
}

/** A model's tool call. Nothing in it has been validated. */
export interface ModelCall {
  id: string
  /** May not be the name of any tool. */
  name: string
  /** May not match the tool's input; undefined if it was not valid JSON. */
  input: unknown
}

/** The result of a call. */
export interface CallAnswer {
  callId: string
  name: string
  text: string
}

/** Input for a model: the task, a correction, or the results of its latest calls. */
export interface ModelInput {
  /** Null if there is nothing to add to the results. */
  text: string | null
  answers: readonly CallAnswer[]
  /** The current view of the page. It replaces the previous one. */
  view: string | null
}

/**
 * TOOL_CALLS and STOP are the regular ends of a response; LENGTH: it was cut off; REFUSED: blocked by the vendor's
 * filter.
 */
export type FinishReason = 'STOP' | 'TOOL_CALLS' | 'LENGTH' | 'REFUSED' | 'OTHER'

/** One response of a model. */
export interface ModelStep {
  text: string
  calls: readonly ModelCall[]
  finishReason: FinishReason
  cost: Cost
}

export interface ConversationOptions {
  /** The system prompt. */
  system: string
  tools: readonly ModelTool[]
  /** Max UTF-16 code units of history sent to the model; the oldest parts are shortened, then omitted. */
  historyCharacters: number
}

/** A conversation with a model, in steps. It keeps its history, within limits. */
export interface Conversation {
  /**
   * Sends the input and waits for the complete response. Retries, within limits, if that may help. Rejects with
   * ChatModelFailed, or with the signal's reason soon after the signal; then the input counts as not sent.
   */
  next(input: ModelInput, signal: AbortSignal): Promise<ModelStep>
}

/** A language model of any vendor. */
export interface ChatModel {
  /** The vendor's name for it. */
  readonly name: string
  /** Whether Cost.usd is available. */
  readonly isPriced: boolean
  converse(options: ConversationOptions): Conversation
}

/** A model that could not be reached or did not respond. The message is for people and contains no secret. */
export class ChatModelFailed extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'ChatModelFailed'
  }
}
