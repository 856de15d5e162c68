/** Each piece by itself would cost a write. */
export const PIECE_LENGTH = 64 * 1024

/** Fewer and longer ones of many short ones. */
export async function* inPieces(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let piece = ''
  for await (const text of texts) {
    piece += text
    if (piece.length < PIECE_LENGTH) continue
    yield piece
    piece = ''
  }
  if (piece !== '') yield piece
}
