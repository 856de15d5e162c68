/** Whether lists and objects stand in one another on more levels than these: deeper ones overflow the stack of whoever writes them down. */
export function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((member) => isDeeperThan(levels - 1, member))
}
