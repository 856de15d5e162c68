/**
 * Frees the memory of a buffer that is no longer used: until the next garbage collection, the bytes that passed through
 * a pipe would take several times the memory of those that are kept. Not for a buffer that shares its memory with
 * others, such as a part of a chunk.
 */
export function freeMemory({ buffer, byteLength }: Buffer): void {
  if (byteLength > 0 && byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
