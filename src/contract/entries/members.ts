import { z } from 'zod'

/** Members that several kinds of entries have: each takes no more than the GraphQL type that shows it. */

/** The same as ports/json.ts. */
type Json = z.core.util.JSONType

/** Shown as Int. */
export const int = z.int32()

/** Shown as SafeInt. */
export const safeInt = z.int()

/** What a Date holds. */
const TIME_LIMIT = 8.64e15

/** Milliseconds since the epoch. */
export const time = z.number().min(-TIME_LIMIT).max(TIME_LIMIT)

export const isTime = (value: number) => Math.abs(value) <= TIME_LIMIT

/** Null for what belongs to no page (a service worker, a shared worker), or where the page is unknown. */
export const pageId = z.string().nullable()

export const headers = z.custom<Record<string, string>>(hasTextsOnly)

/** What was parsed as JSON is JSON. */
export const json = z.custom<Json>((value) => value !== undefined)

export const jsonObject = z.custom<{ [key: string]: Json }>(isObject)

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** By hand: a request has dozens of headers, which z.record looks at for longer than parsing them took. */
function hasTextsOnly(value: unknown): boolean {
  if (!isObject(value)) return false
  for (const name in value) if (typeof value[name] !== 'string') return false
  return true
}
