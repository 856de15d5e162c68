/** Far more than a provider's metadata or key set has. */
const MAX_BYTES = 512 * 1024

/**
 * Fetches JSON that a provider publishes: without redirects, with a limit on the actual body size. Rejects if the
 * status is not 200.
 */
export async function fetchBounded(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, redirect: 'manual' })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new Error(`${url} answered with HTTP status ${response.status}`)
  }
  const pieces: Uint8Array[] = []
  let bytes = 0
  // Leaving the loop cancels the rest of the body.
  for await (const piece of response.body ?? []) {
    bytes += piece.byteLength
    if (bytes > MAX_BYTES) throw new Error(`${url} answered with more than ${MAX_BYTES} bytes`)
    pieces.push(piece)
  }
  return new Response(Buffer.concat(pieces), { status: 200 })
}
