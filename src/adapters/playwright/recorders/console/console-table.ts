import type { ConsoleValue } from '../../../../ports/log/log-entry.ts'

/** Most rows in the text; the arguments of the line have the rest. */
const ROWS = 100
const COLUMNS = 20
const CELL = 60
const INDEX = '(index)'
const VALUE = 'Value'

/** The argument of console.table(…) as aligned rows; null: it is no table. */
export function formatTable(table: ConsoleValue | null | undefined): string | null {
  const rows = table ? rowsOf(table) : []
  if (rows.length === 0) return null
  const names = new Set<string>()
  let hasValues = false
  for (const { value } of rows) {
    if (value.properties) for (const { name = '' } of value.properties) names.add(name)
    else hasValues = true
  }
  const columns = [...names].slice(0, COLUMNS)
  const shown = rows.slice(0, ROWS)
  const lines = [
    [INDEX, ...columns, ...(hasValues ? [VALUE] : [])],
    ...shown.map(({ index, value }) => [
      index,
      ...columns.map((column) => cellOf(value.properties?.find(({ name }) => name === column))),
      ...(hasValues ? [value.properties ? '' : cellOf(value)] : []),
    ]),
  ]
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  const text = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join(' | ')
      .trimEnd(),
  )
  const isCut = rows.length > ROWS || names.size > COLUMNS || table?.truncated === true
  return [...text, ...(isCut ? ['…'] : [])].join('\n')
}

function rowsOf({ type, properties = [], entries }: ConsoleValue): { index: string; value: ConsoleValue }[] {
  if (type !== 'object') return []
  if (entries) {
    return entries.map(({ key, value }, index) => ({
      index: String(index),
      value: key
        ? {
            type: 'object',
            properties: [
              { ...key, name: 'Key' },
              { ...value, name: VALUE },
            ],
          }
        : value,
    }))
  }
  return properties.map((value) => ({ index: value.name ?? '', value }))
}

function cellOf(value: ConsoleValue | undefined): string {
  if (!value) return ''
  const text = String(value.value ?? value.description ?? (value.subtype === 'null' ? 'null' : value.type))
  const line = text.replace(/\s+/g, ' ')
  return line.length <= CELL ? line : `${line.slice(0, CELL - 1)}…`
}
