/**
 * Values of an enum whose members are constants of the domain, each with a description; `names` maps those with a
 * different name in the API, since stored values keep their names.
 */
export function describedValues<Value extends string>(
  descriptions: Record<Value, string>,
  names: Partial<Record<Value, string>> = {},
) {
  const values = {} as Record<string, { value: Value; description: string }>
  for (const value in descriptions) values[names[value] ?? value] = { value, description: descriptions[value] }
  return values
}
