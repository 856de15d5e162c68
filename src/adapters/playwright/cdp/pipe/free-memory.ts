/**
 * Gives back the memory of a buffer that nobody uses any more: until the next collection, what passed through a pipe would
 * take several times the memory of what is kept. Not of one that shares its memory with others, such as a part of a chunk.
 */
export function freeMemory({ buffer, byteLength }: Buffer): void {
  if (byteLength > 0 && byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
