/**
 * A timer for what does not arrive in time; the returned function cancels it. After a long turn of this process all
 * timers are due at once, before anything is read: what has arrived by then is handled first, and may cancel it.
 */
export function startLateTimer(late: () => void, milliseconds: number): () => void {
  let turn: NodeJS.Immediate | undefined
  const timer = setTimeout(() => {
    turn = setImmediate(late)
  }, milliseconds)
  return () => {
    clearTimeout(timer)
    clearImmediate(turn)
  }
}
