import type { BodyData } from '../../contract/entries/body.ts'

/** Bytes of a body of the owner, stored apart or not; null: they cannot be read anymore. */
export type ReadBody = (owner: string, body: BodyData, signal: AbortSignal) => Promise<Uint8Array | null>

export const isTextBody = ({ encoding }: Pick<BodyData, 'encoding'>): boolean => encoding.endsWith('UTF8')

/** A body as text, or in base64 where it is not text; null: its bytes cannot be read anymore. At once if it is inline. */
export function textOfBody(
  body: BodyData,
  owner: string,
  read: ReadBody,
  signal: AbortSignal,
): string | Promise<string | null> {
  const { inline, encoding } = body
  if (inline !== null && (encoding === 'UTF8' || encoding === 'BASE64')) return inline
  return readText(body, owner, read, signal)
}

async function readText(body: BodyData, owner: string, read: ReadBody, signal: AbortSignal): Promise<string | null> {
  const bytes = await read(owner, body, signal)
  if (!bytes) return null
  const { buffer, byteOffset, byteLength } = bytes
  return Buffer.from(buffer, byteOffset, byteLength).toString(isTextBody(body) ? 'utf8' : 'base64')
}
