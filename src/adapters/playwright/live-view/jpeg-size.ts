import type { Viewport } from '../../../ports/base/viewport.ts'

/** Of base64, where the size of every JPEG that a browser makes stands; colour profiles are shorter. */
const HEAD_CHARACTERS = 8_192
const START_OF_IMAGE = 0xffd8
/** Of frames: all of 0xC0 to 0xCF but the tables for Huffman codes, arithmetic codes, and what is reserved. */
const isStartOfFrame = (marker: number) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)

/** Width and height of a JPEG in base64; null: it is none. */
export function jpegSize(base64: string): Viewport | null {
  const head = Buffer.from(base64.slice(0, HEAD_CHARACTERS), 'base64')
  if (head.length < 4 || head.readUInt16BE(0) !== START_OF_IMAGE) return null
  for (let at = 2; at + 9 <= head.length;) {
    if (head[at] !== 0xff) return null
    if (isStartOfFrame(head[at + 1]!)) return { height: head.readUInt16BE(at + 5), width: head.readUInt16BE(at + 7) }
    at += 2 + head.readUInt16BE(at + 2)
  }
  return null
}
