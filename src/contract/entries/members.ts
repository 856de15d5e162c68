import { z } from 'zod'

/** Members that several kinds of entries share: none exceeds the range of its GraphQL type. */

/** The same as ports/base/json.ts. */
type Json = z.core.util.JSONType

/** GraphQL type Int. */
export const int = z.int32()

/** GraphQL type SafeInt. */
export const safeInt = z.int()

/** Range of a Date. */
const TIME_LIMIT = 8.64e15

/** Milliseconds since the epoch. */
export const time = z.number().min(-TIME_LIMIT).max(TIME_LIMIT)

export const isTime = (value: number) => Math.abs(value) <= TIME_LIMIT

/** Null for what belongs to no page (a service or shared worker), or if the page is unknown. */
export const pageId = z.string().nullable()

export const headers = z.custom<Record<string, string>>(hasTextsOnly)

/** Parsed JSON is JSON by construction. */
export const json = z.custom<Json>((value) => value !== undefined)

export const jsonObject = z.custom<{ [key: string]: Json }>(isObject)

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Without z.record: a request has dozens of headers, and z.record takes longer than parsing them. */
function hasTextsOnly(value: unknown): boolean {
  if (!isObject(value)) return false
  for (const name in value) if (typeof value[name] !== 'string') return false
  return true
}
