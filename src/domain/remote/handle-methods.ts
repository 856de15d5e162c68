import type { SessionHandle } from '../sessions/session-handle.ts'

/** Members of a handle with only arguments and a result; those of the second list end with a signal. */
const PLAIN = [
  'snapshot',
  'update',
  'end',
  'health',
  'pages',
  'pendingRequests',
  'logHead',
  'logTail',
  'browserVersion',
  'startTask',
  'cancelTask',
] as const satisfies readonly (keyof SessionHandle)[]
const CANCELLABLE = [
  'reached',
  'act',
  'observe',
  'dispatchInput',
  'saveProfile',
] as const satisfies readonly (keyof SessionHandle)[]

export type HandleMethod = (typeof PLAIN)[number] | (typeof CANCELLABLE)[number]

type Member = (...args: unknown[]) => Promise<unknown>

const isPlain = (name: string): name is (typeof PLAIN)[number] => (PLAIN as readonly string[]).includes(name)
const isCancellable = (name: string): name is (typeof CANCELLABLE)[number] =>
  (CANCELLABLE as readonly string[]).includes(name)

/** Whether it is the name of such a member. */
export const isMethod = (name: string): name is HandleMethod => isPlain(name) || isCancellable(name)

/** Calls a member by its name. */
export async function runMethod(
  handle: SessionHandle,
  name: string,
  args: readonly unknown[],
  signal: AbortSignal,
): Promise<unknown> {
  if (isPlain(name)) return (handle[name] as Member).apply(handle, [...args])
  if (isCancellable(name)) return (handle[name] as Member).apply(handle, [...args, signal])
  throw new TypeError(`a handle has no ${name}`)
}
