import { isUtf8 } from 'node:buffer'

/** Whether a text in parts is valid UTF-8. Characters may be divided. */
export function isUtf8InParts(parts: readonly Buffer[]): boolean {
  let divided: Buffer = Buffer.alloc(0)
  for (const part of parts) {
    const missing = Math.max(0, bytesOfCharacter(divided[0]) - divided.length)
    const joined = Buffer.concat([divided, part.subarray(0, missing)])
    if (part.length < missing) {
      divided = joined
      continue
    }
    const end = part.length - dividedBytes(part.subarray(missing))
    if (!isUtf8(joined) || !isUtf8(part.subarray(missing, end))) return false
    divided = part.subarray(end)
  }
  return divided.length === 0
}

/** Of the character at the end that continues in the next part; 0: there is none. */
function dividedBytes(part: Buffer): number {
  for (let bytes = 1; bytes <= Math.min(3, part.length); bytes += 1) {
    const byte = part[part.length - bytes]!
    if (isContinuation(byte)) continue
    return bytesOfCharacter(byte) > bytes ? bytes : 0
  }
  return 0
}

const isContinuation = (byte: number) => (byte & 0xc0) === 0x80

/** By its first byte; 0: there is none. */
function bytesOfCharacter(first: number | undefined): number {
  if (first === undefined) return 0
  return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1
}
