import { isUtf8 } from 'node:buffer'
import { isTextual, type MediaType } from './media-type.ts'

/** Bytes of a body; text is in UTF-8. */
export interface BodyContent {
  bytes: Uint8Array
  isText: boolean
}

/** Charsets in which ASCII bytes have other meanings, so that their text may pass for UTF-8. */
const UNLIKE_ASCII = /^(?:utf-16|unicode|ucs-2|iso-10646-ucs-2|iso-2022-jp|csiso2022jp)/
/** How many bytes of a document browsers search for its charset. */
const PRESCAN_BYTES = 1024
/** Characters that do not occur in text. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\0-\b\x0b\x0e-\x1a\x1c-\x1f]/

/**
 * The browser's representation of a body: the text itself if its bytes are valid UTF-8, whatever charset was declared,
 * otherwise base64 (measured; the text of a body that only the page's process has is already decoded).
 */
export function contentOf(body: string, isBase64: boolean, type: MediaType): BodyContent {
  if (!isBase64) {
    const bytes = Buffer.from(body)
    // oxlint-disable-next-line no-control-regex
    const isOther = type.charset !== null && UNLIKE_ASCII.test(type.charset) && /[\0\u001B]/.test(body)
    const decoded = isOther ? decodedBy(type.charset!, bytes) : null
    return decoded === null ? { bytes, isText: !body.includes('\0') } : { bytes: Buffer.from(decoded), isText: true }
  }
  const bytes = Buffer.from(body, 'base64')
  const text = isTextual(type) || type.charset !== null ? textIn(bytes, type) : null
  return text === null
    ? { bytes, isText: isUtf8(bytes) && !bytes.includes(0) }
    : { bytes: Buffer.from(text), isText: true }
}

/** The first bytes, without a partial character. */
export function startOf({ bytes, isText }: BodyContent, length: number): Uint8Array {
  if (bytes.length <= length) return bytes
  let end = length
  while (isText && end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1
  // A part of a buffer keeps the whole alive.
  return Uint8Array.prototype.slice.call(bytes, 0, end)
}

/** Bytes of an unknown type. A start may end within a character, which is removed. */
export function plainContentOf(bytes: Uint8Array, isStart: boolean): BodyContent {
  const whole = isStart ? bytes.subarray(0, endOfCharacters(bytes)) : bytes
  return isUtf8(whole) && !whole.includes(0) ? { bytes: whole, isText: true } : { bytes, isText: false }
}

/** Offset after the last whole UTF-8 character. */
function endOfCharacters(bytes: Uint8Array): number {
  let last = bytes.length - 1
  while (last > bytes.length - 4 && (bytes[last]! & 0xc0) === 0x80) last -= 1
  const lead = bytes[last] ?? 0
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1
  return last + length > bytes.length ? last : bytes.length
}

/** Text in a charset other than UTF-8; null: it is not text in any declared one. */
function textIn(bytes: Buffer, { essence, charset }: MediaType): string | null {
  const declared = byteOrderOf(bytes) ?? charset ?? (isMarkup(essence) ? charsetWithin(bytes) : null)
  if (declared !== null) {
    const text = decodedBy(declared, bytes)
    if (text !== null) return text
  }
  // Browsers' default charset for text; other types are UTF-8, or not text.
  const text = essence.startsWith('text/') ? decodedBy('windows-1252', bytes) : null
  return text === null || CONTROL.test(text) ? null : text
}

const isMarkup = (essence: string) => essence.includes('html') || essence.includes('xml')

/** A byte order mark has precedence over any header. */
function byteOrderOf(bytes: Buffer): string | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le'
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : null
}

function charsetWithin(bytes: Buffer): string | null {
  const start = bytes.toString('latin1', 0, PRESCAN_BYTES)
  const [, xml] = /^\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)/i.exec(start) ?? []
  const [, meta] = /<meta\s[^>]*?charset\s*=\s*["']?\s*([\w.:-]+)/i.exec(start) ?? []
  return xml ?? meta ?? null
}

/** Null: there is no such charset, or the bytes are invalid in it. */
function decodedBy(charset: string, bytes: Uint8Array): string | null {
  try {
    return new TextDecoder(charset, { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}
