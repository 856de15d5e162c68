import { afterAll, expect, vi } from 'vitest'

/**
 * Runs before each file of those that share a process (`SHARED` in vitest.config.ts): a file that leaves something
 * behind fails, and those after it do not.
 */

/** Libraries add listeners of their own to others, such as `exit`, at any time. */
const EVENTS = ['uncaughtException', 'unhandledRejection', 'SIGINT', 'SIGTERM', 'SIGHUP'] as const

const state = () => ({
  folder: process.cwd(),
  hasFakeTimers: vi.isFakeTimers(),
  listeners: Object.fromEntries(EVENTS.map((name) => [name, process.listenerCount(name)])),
})
const before = state()
const environment = { ...process.env }

// Registered before those of the file, so that it runs after them.
afterAll(() => {
  const left = state()
  // Their names alone: values may be secrets.
  const variables = Object.keys({ ...environment, ...process.env }).filter(
    (name) => process.env[name] !== environment[name],
  )
  vi.useRealTimers()
  process.chdir(before.folder)
  for (const name of variables) delete process.env[name]
  Object.assign(process.env, environment)
  // oxlint-disable-next-line vitest/no-standalone-expect -- of every file
  expect({ ...left, variables }).toEqual({ ...before, variables: [] })
})
