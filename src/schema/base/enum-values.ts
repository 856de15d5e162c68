/**
 * The values of an enum whose members are constants of the domain, with a description for each; `names` has those that
 * the API calls otherwise, since what is stored keeps its name.
 */
export function describedValues<Value extends string>(
  descriptions: Record<Value, string>,
  names: Partial<Record<Value, string>> = {},
) {
  const values = {} as Record<string, { value: Value; description: string }>
  for (const value in descriptions) values[names[value] ?? value] = { value, description: descriptions[value] }
  return values
}
