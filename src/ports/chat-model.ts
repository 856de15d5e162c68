import type { Json } from './json.ts'
import type { Cost } from './task.ts'

/** Something that a model may ask for, by its name. */
export interface ModelTool {
  name: string
  description: string
  /** JSON Schema of an object. */
  inputSchema: { [key: string]: Json }
}

/** What a model asks for. Nothing of it has been checked. */
export interface ModelCall {
  id: string
  /** Perhaps not the name of any tool. */
  name: string
  /** Perhaps not what the tool takes; undefined when it was not even JSON. */
  input: unknown
}

/** The answer to a call. */
export interface CallAnswer {
  callId: string
  name: string
  text: string
}

/** What is said to a model: the task or a correction, or the answers to each of its last calls. */
export interface ModelInput {
  /** Null where the answers say everything. */
  text: string | null
  answers: readonly CallAnswer[]
  /** What can be seen now. It takes the place of what was seen before. */
  view: string | null
}

/** TOOL_CALLS and STOP are how an answer should end; LENGTH: it was cut; REFUSED: by a filter of the vendor. */
export type FinishReason = 'STOP' | 'TOOL_CALLS' | 'LENGTH' | 'REFUSED' | 'OTHER'

/** One answer of a model. */
export interface ModelStep {
  text: string
  calls: readonly ModelCall[]
  finishReason: FinishReason
  cost: Cost
}

export interface ConversationOptions {
  /** The rules that stand above everything that is said later. */
  system: string
  tools: readonly ModelTool[]
  /** UTF-16 code units that the model is told again at most; what is oldest is shortened, then left out. */
  historyCharacters: number
}

/** A talk with a model, in steps. What was said stays with it, bounded. */
export interface Conversation {
  /**
   * Says it, and waits for the whole answer. Tries again, within bounds, where that may help. Rejects with
   * ChatModelFailed, or with the signal's reason soon after the signal; then the input counts as not said.
   */
  next(input: ModelInput, signal: AbortSignal): Promise<ModelStep>
}

/** A language model of some vendor. */
export interface ChatModel {
  /** As the vendor calls it. */
  readonly name: string
  /** Whether Cost.usd can be told. */
  readonly isPriced: boolean
  converse(options: ConversationOptions): Conversation
}

/** A model that could not be asked, or did not answer. The message is for people and holds no secret. */
export class ChatModelFailed extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'ChatModelFailed'
  }
}
