import type { BodyData } from '../../contract/entries/body.ts'

/** Bytes of a stored body of the owner; null: they are not stored anymore. */
export type ReadBody = (owner: string, sha256: string) => Promise<Uint8Array | null>

/** A body as text, or in base64 where it is not text; null: its bytes are not stored anymore. */
export async function textOfBody(body: BodyData, owner: string, read: ReadBody): Promise<string | null> {
  const { inline, sha256, encoding } = body
  if (inline !== null || sha256 === null) return inline
  const bytes = await read(owner, sha256)
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(encodingOf(encoding))
}

const encodingOf = (encoding: BodyData['encoding']) => (encoding === 'UTF8' ? 'utf8' : 'base64')
