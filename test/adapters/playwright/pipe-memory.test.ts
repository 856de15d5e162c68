import { join } from 'node:path'
import { expect, test } from 'vitest'
import { MESSAGE_LIMITS } from '../../../src/adapters/playwright/cdp/pipe/message-limits.ts'
import { startProgram } from '../../support/command.ts'

const PROGRAM = join(import.meta.dirname, 'pipe-memory.ts')

/** Maximum memory of a browser's message, as a multiple of its bound … */
const MAX = 4
/** … and beside it, for the chunks of the pipe. */
const CHUNKS_BYTES = 2 * 1024 * 1024

const { parsed, relayed } = MESSAGE_LIMITS

test.each([
  ['parsed', 'parsed', parsed],
  ['parsed, wide', 'parsed', parsed],
  ['parsed, escaped', 'parsed', parsed],
  ['relayed', 'relayed', relayed],
  ['skipped', 'skipped', parsed],
  ['skipped answer', 'skipped', relayed],
])(
  'a message that is %s takes no more memory than its bound allows',
  { timeout: 120_000 },
  async (message, as, bound) => {
    const program = startProgram(process.execPath, ['--expose-gc', PROGRAM, message], {
      PATH: process.env['PATH'] ?? '',
    })
    const { code, stdout, stderr } = await program.finished
    expect([code, stderr]).toEqual([0, ''])
    const { what, most } = JSON.parse(stdout) as { what: string; most: number }
    expect(what).toBe(as)
    expect(most).toBeLessThanOrEqual(MAX * bound + CHUNKS_BYTES)
  },
)
