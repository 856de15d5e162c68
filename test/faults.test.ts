import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { commandEnvironment, startProgram } from './support/command.ts'

const MAIN = join(import.meta.dirname, '..', 'bench', 'faults', 'main.ts')

// A minute each on a quiet machine.
vi.setConfig({ testTimeout: 600_000 })

/** The short form of `npm run faults`: each of some faults once, in an order determined by the seed. */
test.each(['embedded', 'postgres', 'machines'])(
  '%s: nothing that goes wrong ends, starves or loses anything',
  async (database) => {
    const args = [MAIN, '--short', '--seed', '11', '--database', database]
    const { stdout, stderr, code } = await startProgram(process.execPath, args, commandEnvironment('')).finished
    expect(stdout).toMatch(/(\d+) of \1 faults survived; 0 entries lost; 0 out of order; 0 leaks/)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  },
)
