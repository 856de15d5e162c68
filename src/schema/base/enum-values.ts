/** The values of an enum whose members are constants of the domain, with a description for each. */
export function describedValues<Value extends string>(descriptions: Record<Value, string>) {
  const values = {} as Record<Value, { description: string }>
  for (const value in descriptions) values[value] = { description: descriptions[value] }
  return values
}
