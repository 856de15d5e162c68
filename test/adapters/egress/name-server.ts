import { createSocket } from 'node:dgram'
import { isIPv4 } from 'node:net'

/** Records of a name: addresses, an alias, or one of these. */
export type Records = readonly string[] | { alias: string } | 'silence' | 'failure'

export interface NameServer {
  /** In the format of dns.setServers. */
  address: string
  /** All queries so far, in order: "A example.test". */
  questions: string[]
  close(): Promise<void>
}

const TYPES: Readonly<Record<number, string>> = { 1: 'A', 5: 'CNAME', 28: 'AAAA' }
const [NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME] = [0, 2, 3]

/**
 * A DNS server on 127.0.0.1 that answers with the result of the function; null: the name does not exist. Addresses
 * may be queried repeatedly, so the result may change.
 */
export async function startNameServer(recordsOf: (name: string) => Records | null, ttl = 0): Promise<NameServer> {
  const questions: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (query, { port, address }) => {
    const { name, type, end } = readQuestion(query)
    questions.push(`${TYPES[type] ?? type} ${name}`)
    const answer = answerTo(query.subarray(0, end), name, type)
    if (answer) socket.send(answer, port, address)
  })

  function answerTo(question: Buffer, name: string, type: number): Buffer | null {
    const records = recordsOf(name)
    if (records === 'silence') return null
    if (records === 'failure') return response(question, SERVER_FAILURE, [])
    if (!records) return response(question, NO_SUCH_NAME, [])
    const answers: Buffer[] = []
    let [owner, found]: [string, readonly string[]] = [name, []]
    if ('alias' in records) {
      answers.push(record(name, 5, ttl, encodeName(records.alias)))
      owner = records.alias
      const target = recordsOf(records.alias)
      if (Array.isArray(target)) found = target
    } else found = records
    for (const address of found) {
      if (isIPv4(address) === (type === 1)) answers.push(record(owner, type, ttl, encodeAddress(address)))
    }
    return response(question, NO_ERROR, answers)
  }

  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${socket.address().port}`,
    questions,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  }
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

function response(question: Buffer, code: number, answers: readonly Buffer[]): Buffer {
  const message = Buffer.concat([question, ...answers])
  message.writeUInt16BE(0x81_80 | code, 2)
  message.writeUInt16BE(answers.length, 6)
  message.writeUInt32BE(0, 8)
  return message
}

function record(name: string, type: number, ttl: number, data: Buffer): Buffer {
  const fields = Buffer.alloc(10)
  fields.writeUInt16BE(type, 0)
  fields.writeUInt16BE(1, 2)
  fields.writeUInt32BE(ttl, 4)
  fields.writeUInt16BE(data.length, 8)
  return Buffer.concat([encodeName(name), fields, data])
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)]))
  return Buffer.concat([...labels, Buffer.alloc(1)])
}

/** IPv6 with all eight groups written out. */
function encodeAddress(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  const parts = Buffer.alloc(16)
  for (const [index, part] of address.split(':').entries()) parts.writeUInt16BE(Number.parseInt(part, 16), index * 2)
  return parts
}
