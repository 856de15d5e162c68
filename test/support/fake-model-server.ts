import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Input of the model: the whole conversation, independent of the vendor. */
export interface Asked {
  /** Number of earlier responses in this conversation. */
  step: number
  /** Text of the last message: the results of its calls, including snapshots. */
  last: string
  /** The text of every message, joined. */
  everything: string
  tools: string[]
  /** Number of requests to the server, including this one. */
  request: number
}

export interface Call {
  name: string
  /** An object, or raw text to send. */
  input: object | string
}

/** A response of the scripted model. */
export type Reply =
  /** usage null: not reported. finish: in the vendor's spelling; null: the stream just stops. */
  | { text?: string; calls?: Call[]; usage?: { input: number; output: number } | null; finish?: string | null }
  | { status: number; headers?: Record<string, string>; error?: object | string }
  /** The connection breaks in the middle of the response. */
  | { breaks: string }
  /** It never responds, or stalls after this text. */
  | { hangs: string | null }
  /** An error within the stream, as vendors send it. */
  | { streamError: object }

export type Script = (asked: Asked) => Reply

export interface FakeModelServer {
  /** The base URL of both chat completions and messages. */
  url: string
  script: Script
  /** Received requests, newest last. */
  requests: { path: string; headers: IncomingHttpHeaders; body: string }[]
  /** Unanswered requests (Reply.hangs) whose clients have disconnected. */
  abandoned: number
  close(): Promise<void>
}

export const USAGE = { input: 100, output: 10 } as const

interface WireMessage {
  role: string
  content?: string | { type: string; text?: string; content?: string | { text?: string }[] }[] | null
}

interface WireRequest {
  messages: WireMessage[]
  tools?: { name?: string; function?: { name: string } }[]
}

/** A local server with two vendors' wire formats, streaming, for a scripted model. */
export async function startFakeModelServer(script: Script = () => ({ text: 'done' })): Promise<FakeModelServer> {
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const fake: FakeModelServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    script,
    requests: [],
    abandoned: 0,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    const path = request.url ?? ''
    fake.requests.push({ path, headers: request.headers, body })
    const wire = WIRES[path]
    if (!wire) return void response.writeHead(404).end('no such address')
    const reply = replyTo(JSON.parse(body) as WireRequest)
    if ('status' in reply) {
      response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers })
      return void response.end(typeof reply.error === 'string' ? reply.error : JSON.stringify(wire.error(reply.error)))
    }
    if ('hangs' in reply && reply.hangs === null) return whenGone(response)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    if ('hangs' in reply) {
      response.write(wire.opening(reply.hangs ?? ''))
      return whenGone(response)
    }
    if ('breaks' in reply) return void response.write(wire.opening(reply.breaks), () => response.destroy())
    if ('streamError' in reply) return void response.end(wire.opening('well') + wire.streamError(reply.streamError))
    response.end(wire.answer(reply))
  }

  /** A failed expectation of a script ends the task, with its message as the reason. */
  function replyTo(request: WireRequest): Reply {
    try {
      return fake.script(asked(request, fake.requests.length))
    } catch (error) {
      return { status: 400, error: { message: String(error) } }
    }
  }

  function whenGone(response: ServerResponse): void {
    response.once('close', () => {
      fake.abandoned += 1
    })
  }

  return fake
}

function asked({ messages, tools = [] }: WireRequest, request: number): Asked {
  const texts = messages.filter(({ role }) => role !== 'system').map(textOf)
  return {
    step: messages.filter(({ role }) => role === 'assistant').length,
    last: texts.at(-1) ?? '',
    everything: texts.join('\n'),
    tools: tools.map((tool) => tool.function?.name ?? tool.name ?? ''),
    request,
  }
}

function textOf({ content }: WireMessage): string {
  if (typeof content === 'string') return content
  return (content ?? []).map(({ text, content: inner }) => text ?? innerText(inner)).join('\n')
}

const innerText = (content: string | { text?: string }[] | undefined) =>
  typeof content === 'string' ? content : (content ?? []).map(({ text }) => text ?? '').join('\n')

type FullReply = Extract<Reply, { text?: string }>

interface Wire {
  /** The start of a text response. */
  opening(text: string): string
  answer(reply: FullReply): string
  streamError(error: object): string
  error(error: object | undefined): object
}

const data = (value: object) => `data: ${JSON.stringify(value)}\n\n`
const inputText = ({ input }: Call) => (typeof input === 'string' ? input : JSON.stringify(input))

const chunk = (delta: object, finish: string | null = null) =>
  data({
    id: 'chat-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'scripted',
    choices: [{ index: 0, delta, finish_reason: finish }],
  })

/** POST /chat/completions of OpenAI. */
const chatCompletions: Wire = {
  opening: (text) => chunk({ role: 'assistant', content: text }),
  answer: ({ text = '', calls = [], usage = USAGE, finish }) => {
    const pieces = [chunk({ role: 'assistant', content: '' })]
    if (text) pieces.push(chunk({ content: text.slice(0, 3) }), chunk({ content: text.slice(3) }))
    calls.forEach((call, index) => {
      const input = inputText(call)
      const half = Math.floor(input.length / 2)
      const id = `call-${index}-${Math.random().toString(36).slice(2)}`
      pieces.push(
        chunk({ tool_calls: [{ index, id, type: 'function', function: { name: call.name, arguments: '' } }] }),
        chunk({ tool_calls: [{ index, function: { arguments: input.slice(0, half) } }] }),
        chunk({ tool_calls: [{ index, function: { arguments: input.slice(half) } }] }),
      )
    })
    if (finish === null) return pieces.join('')
    pieces.push(chunk({}, finish ?? (calls.length > 0 ? 'tool_calls' : 'stop')))
    if (usage) {
      const counted = { prompt_tokens: usage.input, completion_tokens: usage.output }
      const total_tokens = usage.input + usage.output
      pieces.push(
        data({ id: 'chat-1', created: 1, model: 'scripted', choices: [], usage: { ...counted, total_tokens } }),
      )
    }
    return `${pieces.join('')}data: [DONE]\n\n`
  },
  streamError: (error) => data({ error }),
  error: (error) => ({ error: { message: 'it failed', type: 'server_error', ...error } }),
}

const event = (value: { type: string }) => `event: ${value.type}\n${data(value)}`
const block = (index: number, content_block: object, deltas: object[]) =>
  [
    event({ type: 'content_block_start', index, content_block } as never),
    ...deltas.map((delta) => event({ type: 'content_block_delta', index, delta } as never)),
    event({ type: 'content_block_stop', index } as never),
  ].join('')

const messageStart = (input: number) =>
  event({
    type: 'message_start',
    message: {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'scripted',
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { input_tokens: input, output_tokens: 1 },
    },
  } as never)

/** POST /messages of Anthropic. */
const messages: Wire = {
  opening: (text) => messageStart(1) + block(0, { type: 'text', text: '' }, [{ type: 'text_delta', text }]),
  answer: ({ text = '', calls = [], usage, finish }) => {
    const pieces = [messageStart((usage ?? USAGE).input)]
    if (text) pieces.push(block(0, { type: 'text', text: '' }, [{ type: 'text_delta', text }]))
    calls.forEach((call, index) => {
      const tool = { type: 'tool_use', id: `toolu_${index}_${Math.random().toString(36).slice(2)}`, name: call.name }
      const delta = { type: 'input_json_delta', partial_json: inputText(call) }
      pieces.push(block(index + 1, { ...tool, input: {} }, [delta]))
    })
    const stop_reason = finish ?? (calls.length > 0 ? 'tool_use' : 'end_turn')
    const output_tokens = (usage ?? USAGE).output
    const delta = { stop_reason, stop_sequence: null }
    pieces.push(
      event({ type: 'message_delta', delta, usage: { output_tokens } } as never),
      event({ type: 'message_stop' }),
    )
    return pieces.join('')
  },
  streamError: (error) => event({ type: 'error', error } as never),
  error: (error) => ({ type: 'error', error: { type: 'api_error', message: 'it failed', ...error } }),
}

const WIRES: Record<string, Wire> = { '/v1/chat/completions': chatCompletions, '/v1/messages': messages }
