import { asClientError } from '../kernel/database-unavailable.ts'
import { TabwireError } from '../kernel/errors.ts'

/**
 * Data that may cross a network, and its encoding. A message is its JSON, with null in place of each byte array, and after it the byte
 * arrays: no base64, and no member name that plain data could not have. Everything else is refused, not converted:
 * JSON.stringify would turn a Date into a string and a Map into {}, unnoticed.
 */

const LENGTH_BYTES = 4
type Path = (string | number)[]

/** Throws TypeError, with the location, for anything that is not plain data. Undefined members are omitted. */
export function encode(value: unknown): Uint8Array {
  const arrays: Uint8Array[] = []
  const paths: Path[] = []
  const plain = (part: unknown, path: Path): unknown => {
    if (part instanceof Uint8Array) {
      arrays.push(part)
      paths.push(path)
      return null
    }
    if (part === null || typeof part === 'string' || typeof part === 'boolean' || Number.isFinite(part)) return part
    if (Array.isArray(part)) return part.map((one, index) => plain(one, [...path, index]))
    if (typeof part === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(part) as null)) {
      const members = Object.entries(part).filter(([, member]) => member !== undefined)
      return Object.fromEntries(members.map(([name, member]) => [name, plain(member, [...path, name])]))
    }
    throw new TypeError(
      `${path.join('.') || 'the value'} cannot cross a network: ${Object.prototype.toString.call(part)}`,
    )
  }
  const json = Buffer.from(JSON.stringify({ value: plain(value, []), paths }))
  return Buffer.concat([json, ...arrays].flatMap((bytes) => [lengthOf(bytes), bytes]))
}

export function decode(bytes: Uint8Array): unknown {
  // A view: byte arrays are copied out of it below.
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let read = 0
  const next = (): Buffer => {
    const start = read + LENGTH_BYTES
    read = start + buffer.readUInt32BE(read)
    return buffer.subarray(start, read)
  }
  const holder = JSON.parse(next().toString()) as { value: unknown; paths: Path[] }
  for (const path of holder.paths) {
    const [last, ...above] = ['value', ...path].toReversed()
    const parent = above.toReversed().reduce<unknown>((part, name) => (part as Record<string, unknown>)[name], holder)
    ;(parent as Record<string, unknown>)[last!] = new Uint8Array(next())
  }
  return holder.value
}

function lengthOf({ byteLength }: Uint8Array): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt32BE(byteLength)
  return length
}

/** A failure in transit. Details of faults are not transferred. */
export type EncodedError =
  | { kind: 'REFUSED'; code: string; message: string; extensions: Readonly<Record<string, unknown>> }
  | { kind: 'ABORTED' }
  | { kind: 'FAULT' }

/** An error of the other side: of its class, only the code is transferred. */
class RemoteRefusal extends TabwireError {
  override readonly code: string

  constructor({ code, message, extensions }: Extract<EncodedError, { kind: 'REFUSED' }>) {
    super(message, extensions)
    this.code = code
  }
}

/** `signal`: that of the failed call. */
export function encodeError(thrown: unknown, signal: AbortSignal): EncodedError {
  if (signal.aborted && thrown === signal.reason) return { kind: 'ABORTED' }
  const error = asClientError(thrown)
  if (!(error instanceof TabwireError)) return { kind: 'FAULT' }
  const { code, message, extensions } = error
  return { kind: 'REFUSED', code, message, extensions }
}

/** `signal`: the caller's own. */
export function decodeError(error: EncodedError, signal: AbortSignal | undefined): unknown {
  if (error.kind === 'REFUSED') return new RemoteRefusal(error)
  if (error.kind === 'ABORTED' && signal?.aborted) return signal.reason
  return new Error('the other side failed')
}
