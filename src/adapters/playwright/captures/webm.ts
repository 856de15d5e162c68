import { open } from 'node:fs/promises'

/** Id of the element that contains all others; its size is in the eight bytes after it. */
const SEGMENT = Buffer.from('18538067', 'hex')
/** The size while the file is unfinished. */
const UNKNOWN_SIZE = Buffer.from('01ffffffffffffff', 'hex')
const HEAD_BYTES = 256

/** Whether ffmpeg has completed a WebM: only then it writes the size. Also false if there is none. */
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
