/** Each piece costs a write, so short ones are joined. */
export const PIECE_LENGTH = 64 * 1024

/** Joins many short texts into fewer, longer ones. */
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
