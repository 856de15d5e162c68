import type { ObjectPreview, PropertyPreview, RemoteObject, StackTrace } from '../cdp/protocol/cdp-events.ts'

/** What console.log(…) was given, as one line of text, much as a browser's console shows it. */
export function formatConsoleArguments(args: readonly RemoteObject[]): string {
  const first = args[0]
  if (args.length === 1 && typeof first?.value === 'string') return first.value
  if (args.length > 1 && typeof first?.value === 'string' && first.value.includes('%'))
    return formatDirectives(first.value, args)
  return args.map(formatValue).join(' ')
}

/** %s, %d, %i, %f, %o, %O, %c and %% of the first argument consume those that follow it; %c is only for the eye. */
function formatDirectives(format: string, args: readonly RemoteObject[]): string {
  let next = 1
  const text = format.replace(/%[sdifoOc%]/g, (directive) => {
    if (directive === '%%') return '%'
    const argument = args[next]
    if (argument === undefined) return directive
    next++
    switch (directive) {
      case '%c':
        return ''
      case '%d':
      case '%i': {
        const number = Number.parseInt(formatValue(argument), 10)
        return String(number)
      }
      case '%f':
        return String(Number.parseFloat(formatValue(argument)))
      default:
        return formatValue(argument)
    }
  })
  return [text, ...args.slice(next).map(formatValue)].join(' ')
}

export function formatValue(object: RemoteObject): string {
  if (object.type === 'string') return String(object.value)
  if (object.unserializableValue !== undefined) return object.unserializableValue
  if (object.subtype === 'null') return 'null'
  if (object.type === 'undefined') return 'undefined'
  if (object.type !== 'object') return object.description ?? String(object.value)
  if (object.preview && object.subtype !== 'error' && object.subtype !== 'node') return formatPreview(object.preview)
  return object.description ?? object.className ?? 'object'
}

function formatPreview(preview: ObjectPreview): string {
  const { subtype, description = '', overflow } = preview
  // These say all that is worth saying in their description: /x/g, a date, Error: …, a function's source, div#id.
  if (preview.type !== 'object' || ['regexp', 'date', 'error', 'node', 'proxy', 'null'].includes(subtype ?? '')) {
    return description || 'null'
  }
  const more = overflow ? ['…'] : []
  if (subtype === 'array' || subtype === 'typedarray') {
    return `[${[...formatItems(preview), ...more].join(', ')}]`
  }
  if (preview.entries) {
    const entries = preview.entries.map(({ key, value }) =>
      key ? `${formatEntryPart(key)} => ${formatEntryPart(value)}` : formatEntryPart(value),
    )
    return `${description} {${[...entries, ...more].join(', ')}}`
  }
  const properties = preview.properties.map((property) => `${property.name}: ${formatProperty(property)}`)
  const name = description === '' || description === 'Object' ? '' : `${description} `
  return `${name}{${[...properties, ...more].join(', ')}}`
}

/** Items of an array, its holes too, which the browser leaves out, then its properties of other names. */
function formatItems({ properties, description = '', overflow }: ObjectPreview): string[] {
  const items: string[] = []
  let next = 0
  const skipTo = (index: number) => {
    if (index > next) items.push(index - next === 1 ? 'empty' : `empty × ${index - next}`)
    next = index
  }
  const named = properties.filter(({ name }) => !/^\d+$/.test(name))
  for (const property of properties) {
    if (named.includes(property)) continue
    skipTo(Number(property.name))
    items.push(formatProperty(property))
    next++
  }
  // What an overflow has cut off is not known to be holes.
  if (!overflow) skipTo(Number(/\((\d+)\)$/.exec(description)?.[1] ?? next))
  return [...items, ...named.map((property) => `${property.name}: ${formatProperty(property)}`)]
}

/** An entry of a Map or Set: strings stand in quotes there. */
function formatEntryPart(preview: ObjectPreview): string {
  return preview.type === 'string' ? JSON.stringify(preview.description ?? '') : formatPreview(preview)
}

function formatProperty(property: PropertyPreview): string {
  if (property.valuePreview) return formatPreview(property.valuePreview)
  if (property.type === 'string') return JSON.stringify(property.value ?? '')
  if (property.type === 'accessor') return '(…)'
  if (property.type === 'function') return 'ƒ'
  return property.value ?? property.type
}

/** A stack as V8 writes it: a line a frame, line and column counted from 1. */
export function formatStack(stack: StackTrace | undefined): string | null {
  if (!stack || stack.callFrames.length === 0) return null
  const lines: string[] = []
  for (let part: StackTrace | undefined = stack; part; part = part.parent) {
    if (part !== stack) lines.push(`    at async ${part.description ?? ''}`.trimEnd())
    for (const frame of part.callFrames) {
      const place = `${frame.url || '<anonymous>'}:${frame.lineNumber + 1}:${frame.columnNumber + 1}`
      lines.push(frame.functionName ? `    at ${frame.functionName} (${place})` : `    at ${place}`)
    }
  }
  return lines.join('\n')
}
