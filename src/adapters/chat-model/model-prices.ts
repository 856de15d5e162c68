import type { ModelPrice } from '../../config.ts'
import type { Cost } from '../../ports/tasks/task.ts'

/**
 * USD per million tokens, as listed by vendors for uncached tokens. Prices change: TABWIRE_AI_PRICES takes precedence,
 * and a model in neither list has no known price.
 */
const BUILT_IN: Readonly<Record<string, ModelPrice>> = {
  'gpt-4o': { input: 2.5, output: 10 },
  'gpt-4o-mini': { input: 0.15, output: 0.6 },
  'gpt-4.1': { input: 2, output: 8 },
  'gpt-4.1-mini': { input: 0.4, output: 1.6 },
  'gpt-4.1-nano': { input: 0.1, output: 0.4 },
  'gpt-5': { input: 1.25, output: 10 },
  'gpt-5-mini': { input: 0.25, output: 2 },
  'gpt-5-nano': { input: 0.05, output: 0.4 },
  'gpt-5.1': { input: 1.25, output: 10 },
  o3: { input: 2, output: 8 },
  'o4-mini': { input: 1.1, output: 4.4 },
  'claude-3-5-haiku': { input: 0.8, output: 4 },
  'claude-3-7-sonnet': { input: 3, output: 15 },
  'claude-haiku-4-5': { input: 1, output: 5 },
  'claude-sonnet-4': { input: 3, output: 15 },
  'claude-sonnet-4-5': { input: 3, output: 15 },
  'claude-opus-4': { input: 15, output: 75 },
  'claude-opus-4-1': { input: 15, output: 75 },
  'claude-opus-4-5': { input: 5, output: 25 },
}

/** The price of a model, by its name with or without a date; null: unknown. */
export function priceOf(model: string, given: Readonly<Record<string, ModelPrice>>): ModelPrice | null {
  const undated = model.replace(/-(\d{8}|\d{4}-\d{2}-\d{2}|latest)$/, '')
  for (const prices of [given, BUILT_IN]) {
    for (const name of [model, undated]) if (Object.hasOwn(prices, name)) return prices[name]!
  }
  return null
}

/**
 * The cost of a response. Token counts that the vendor did not report count as zero, and then the price in USD is
 * unknown.
 */
export function costOf(
  price: ModelPrice | null,
  inputTokens: number | undefined,
  outputTokens: number | undefined,
): Cost {
  const isKnown = price !== null && inputTokens !== undefined && outputTokens !== undefined
  return {
    inputTokens: inputTokens ?? 0,
    outputTokens: outputTokens ?? 0,
    usd: isKnown ? (inputTokens * price.input + outputTokens * price.output) / 1_000_000 : null,
  }
}
