/** A connection keeps the plan of each; beyond this number, the rare shapes of filters are planned each time. */
const MAX_PREPARED = 200

const names = new Map<string, string>()

/**
 * The name under which every connection prepares a statement: the same for the same text, undefined (do not prepare)
 * once there are too many.
 */
export function statementName(text: string): string | undefined {
  const known = names.get(text)
  if (known || names.size >= MAX_PREPARED) return known
  const name = `tabwire_${names.size + 1}`
  names.set(text, name)
  return name
}
