import { describe, expect, test } from 'vitest'
import { WorkerSchemas } from '../../src/adapters/json-schema/worker-schemas.ts'
import { readCall, taskTools } from '../../src/domain/tasks/task-tools.ts'
import { ACTION_KINDS } from '../../src/contract/actions/list.ts'
import { encodeGlobalId } from '../../src/contract/global-id.ts'
import type { Json } from '../../src/ports/base/json.ts'

const schemas = new WorkerSchemas()

const tools = taskTools(null)
const toolNamed = (name: string) => tools.find((tool) => tool.name === name)!
const read = (name: string, input: unknown) => readCall({ id: 'c1', name, input })

/** Every schema within a schema, itself included. */
function schemasIn(schema: Json): { [key: string]: Json }[] {
  if (typeof schema !== 'object' || schema === null) return []
  if (Array.isArray(schema)) return schema.flatMap(schemasIn)
  return [schema, ...Object.values(schema).flatMap(schemasIn)]
}

describe('the tools of a task', () => {
  test('are every kind of action, looking, changing pages, and two ways to end', () => {
    const others = ['observe', 'switchPage', 'giveUp', 'finish']
    expect(tools.map(({ name }) => name)).toEqual([...Object.keys(ACTION_KINDS), ...others])
  })

  test.each(tools.map(({ name, description, inputSchema }) => [name, description, inputSchema] as const))(
    '%s is told in plain JSON Schema, each member described',
    async (_, description, inputSchema) => {
      expect(description).not.toBe('')
      expect(inputSchema).toMatchObject({ type: 'object', additionalProperties: false })
      await expect(schemas.read(inputSchema)).resolves.toBeDefined()
      for (const schema of schemasIn(inputSchema)) {
        // Not every vendor takes these.
        for (const keyword of ['oneOf', 'anyOf', 'allOf', '$ref', 'not']) expect(schema).not.toHaveProperty(keyword)
        const members = (schema['properties'] ?? {}) as { [name: string]: { description?: string } }
        for (const member of Object.values(members)) expect(member.description).toEqual(expect.any(String))
        for (const name of (schema['required'] ?? []) as string[]) expect(members).toHaveProperty(name)
      }
    },
  )

  test('say what must be given, from which values, and how an element is meant', async () => {
    expect(toolNamed('click').inputSchema).toMatchObject({
      required: ['target'],
      properties: {
        target: { type: 'object', properties: { ref: { type: 'string' }, role: { type: 'object' } } },
        button: { type: 'string', enum: ['LEFT', 'MIDDLE', 'RIGHT'], default: 'LEFT' },
        modifiers: { type: 'array', items: { type: 'string' } },
      },
    })
    expect(JSON.stringify(toolNamed('click'))).not.toContain('timeoutMs')
    expect(toolNamed('wait').inputSchema['properties']).toHaveProperty('timeoutMs')
    const listed = taskTools(await schemas.read({ type: 'array' })).find(({ name }) => name === 'finish')
    expect(listed?.inputSchema).toMatchObject({ properties: { result: { type: 'array' } }, required: ['result'] })
  })
})

describe('a call', () => {
  test('is an action with its defaults, and does not wait as long as a client would', () => {
    const target = { ref: 'e4' }
    expect(read('click', { target })).toMatchObject({
      kind: 'ACTION',
      step: { name: 'click', input: { target, count: 1, timeoutMs: 10_000 } },
    })
    expect(read('navigate', { url: 'https://example.com' })).toMatchObject({ step: { input: { timeoutMs: 30_000 } } })
    expect(read('wait', { timeMs: 20_000 })).toMatchObject({ step: { input: { timeoutMs: 30_000 } } })
    expect(read('setViewport', { width: 400, height: 300 })).toMatchObject({ step: { input: { width: 400 } } })
  })

  test('names artifacts by their global ids, which are decoded as in the schema', () => {
    const uuid = '01939b5e-7c1a-7e2b-8d3f-0a1b2c3d4e5f'
    const target = { css: '#file' }
    const artifactIds = [encodeGlobalId('Artifact', uuid), uuid, encodeGlobalId('Session', uuid), '/etc/passwd']
    expect(read('upload', { target, artifactIds })).toMatchObject({
      kind: 'ACTION',
      step: { name: 'upload', input: { artifactIds }, artifacts: [uuid, null, null, null] },
    })
  })

  test('may look, change the page, or end the task', () => {
    expect(read('observe', {})).toMatchObject({ kind: 'OBSERVE', input: { target: null, maxCharacters: 20_000 } })
    expect(read('switchPage', { pageId: 'p2' })).toEqual({ kind: 'SWITCH_PAGE', pageId: 'p2' })
    expect(read('giveUp', { reason: 'no' })).toEqual({ kind: 'GIVE_UP', reason: 'no' })
    expect(read('finish', { result: [1] })).toEqual({ kind: 'FINISH', result: [1] })
  })

  test.each([
    ['fly', {}],
    ['constructor', {}],
    ['__proto__', {}],
    ['click', undefined],
    ['click', null],
    ['click', 'e4'],
    ['click', { target: 'e4' }],
    ['click', { target: { ref: 'e4', css: 'a' } }],
    ['click', { target: { ref: 'e4' }, force: true }],
    ['click', { target: { ref: 'e4' }, timeoutMs: 1_000_000 }],
    ['observe', { maxCharacters: 1_000_000_000 }],
    ['finish', 'done'],
    ['giveUp', {}],
  ])('%s %j is nonsense, and says why', (name, input) => {
    expect(read(name, input)).toEqual({ kind: 'NONSENSE', problem: expect.any(String) as string })
  })
})
