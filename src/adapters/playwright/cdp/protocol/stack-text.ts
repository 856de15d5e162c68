import type { StackTrace } from './cdp-events.ts'

/** A stack in V8's format: one line per frame, line and column counted from 1. */
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
