/** The index of the row with this sequence, or of the next one, among rows ordered by sequence; the last if there is none. */
export function indexOfSequence(rows: readonly { readonly sequence: number }[], sequence: number): number {
  let low = 0
  let high = rows.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (rows[middle]!.sequence < sequence) low = middle + 1
    else high = middle
  }
  return low
}
