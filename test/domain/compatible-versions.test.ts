import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { InputDefinition, InputFields } from '../../src/contract/input/input-field.ts'
import { CALLS_VERSION } from '../../src/domain/remote/call-messages.ts'
import { decode } from '../../src/domain/remote/codec.ts'
import { isMethod } from '../../src/domain/remote/handle-methods.ts'
import { START_SESSION_INPUT } from '../../src/domain/sessions/input/session-input.ts'
import { START_VERSION } from '../../src/ports/store/start-store.ts'

/** What servers of this version and of earlier ones say to each other while one is replaced after another. */

const FOLDER = join(import.meta.dirname, '..', 'support', 'earlier-versions')
const read = <T>(name: string) => JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as T

function optionsOf({ fields }: InputDefinition<InputFields>, prefix = ''): string[] {
  return Object.entries(fields).flatMap(([name, { type }]) => {
    const path = `${prefix}${name}`
    if (typeof type === 'string') return [path]
    if ('fields' in type) return [path, ...optionsOf(type, `${path}.`)]
    return [path, ...Object.keys(type.values).map((value) => `${path}=${value}`)]
  })
}

test('a start says what each server that may claim it knows: what startSession takes is that of START_VERSION', () => {
  // If it takes more now: raise START_VERSION, and write the options of the new version beside those of the one before.
  const known = read<string[]>(`start-options-${START_VERSION}.json`)
  expect(optionsOf(START_SESSION_INPUT).toSorted()).toEqual(known.toSorted())
})

test('options are only added, so starts of earlier versions are still understood', () => {
  const options = optionsOf(START_SESSION_INPUT)
  for (let version = 1; version <= START_VERSION; version += 1) {
    expect(options).toEqual(expect.arrayContaining(read<string[]>(`start-options-${version}.json`)))
  }
})

interface StoredCalls {
  methods: string[]
  /** In base64, with what they say; bytes are given as lists. */
  messages: { encoded: string; said: unknown }[]
}

const listed = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, part: unknown) => (part instanceof Uint8Array ? [...part] : part)))

test('calls of CALLS_VERSION have all members that they had, and are read as ever', () => {
  const { methods, messages } = read<StoredCalls>(`calls-${CALLS_VERSION}.json`)
  expect(methods.filter((name) => !isMethod(name))).toEqual([])
  for (const { encoded, said } of messages) expect(listed(decode(Buffer.from(encoded, 'base64')))).toEqual(said)
})
