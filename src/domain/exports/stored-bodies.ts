import type { BodyData } from '../../contract/entries/body.ts'

/** Bytes of one of the owner's bodies, inline or stored separately; null if they can no longer be read. */
export type ReadBody = (owner: string, body: BodyData, signal: AbortSignal) => Promise<Uint8Array | null>

export const isTextBody = ({ encoding }: Pick<BodyData, 'encoding'>): boolean => encoding.endsWith('UTF8')

/**
 * A body as text, or as base64 if it is binary; null if its bytes can no longer be read. Synchronous if it is inline.
 */
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
