import { open } from 'node:fs/promises'

/** Of the element that holds all others, which has its size in the eight bytes behind it. */
const SEGMENT = Buffer.from('18538067', 'hex')
/** Stands there as long as more is to come. */
const UNKNOWN_SIZE = Buffer.from('01ffffffffffffff', 'hex')
const HEAD_BYTES = 256

/** Whether ffmpeg has ended a WebM in order: only then it writes how long it is. False also when there is none. */
export async function isFinishedWebm(path: string): Promise<boolean> {
  const file = await open(path).catch(() => null)
  if (!file) return false
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
    const head = buffer.subarray(0, bytesRead)
    const segment = head.indexOf(SEGMENT)
    const size = head.subarray(segment + SEGMENT.length, segment + SEGMENT.length + UNKNOWN_SIZE.length)
    return segment >= 0 && size.length === UNKNOWN_SIZE.length && !size.equals(UNKNOWN_SIZE)
  } finally {
    await file.close()
  }
}
