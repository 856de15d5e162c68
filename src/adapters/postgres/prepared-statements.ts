const names = new Map<string, string>()

/**
 * The name under which a connection prepares a statement: the same for the same text. Only for texts of which there are
 * few; whatever carries values in its text would fill the server's memory with plans.
 */
export function statementName(text: string): string {
  let name = names.get(text)
  if (!name) {
    name = `tabwire_${names.size + 1}`
    names.set(text, name)
  }
  return name
}
