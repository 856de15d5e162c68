import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from 'vitest'
import { ActionDetails, type ActionSite } from '../../../src/adapters/playwright/actions/site/action-site.ts'
import { pdf } from '../../../src/adapters/playwright/actions/kinds/pdf.ts'
import { TargetGone } from '../../../src/adapters/playwright/cdp/protocol/target-gone.ts'
import type { BrowserSession } from '../../../src/ports/browser/browser.ts'
import { take } from '../../support/take-steps.ts'
import { startTestPool, type TestPool } from './test-pool.ts'

let testPool: TestPool
let session: BrowserSession

beforeAll(async () => {
  testPool = await startTestPool({ warm: 0 })
})

afterAll(() => testPool.close())

beforeEach(async () => {
  ;({ session } = await testPool.start())
})

afterEach(() => session.close(1_000))

/** Shows a picture that no format can compress: a PDF of it takes 4 bytes for each pixel. */
const showNoise = (pixels: number) =>
  take(session, {
    evaluate: {
      expression: `(() => {
        const canvas = document.createElement('canvas')
        canvas.width = canvas.height = ${pixels}
        const context = canvas.getContext('2d')
        const image = context.createImageData(${pixels}, ${pixels})
        for (let at = 0; at < image.data.length; at += 65536) crypto.getRandomValues(image.data.subarray(at, at + 65536))
        context.putImageData(image, 0, 0)
        document.body.append(canvas)
        return 'shown'
      })()`,
    },
  })

// The pictures have megabytes of noise, which takes as long as the machine needs.
describe('a PDF', { timeout: 180_000 }, () => {
  test('of several pieces is whole', async () => {
    expect(await showNoise(900)).toMatchObject({ result: 'shown' })
    const { error, file } = await take(session, { pdf: {} })
    expect(error).toBeNull()
    const bytes = Buffer.from(file!.bytes)
    expect(bytes.length).toBeGreaterThan(2 * 1024 * 1024)
    expect(bytes.toString('latin1', 0, 5)).toBe('%PDF-')
    expect(bytes.toString('latin1', bytes.length - 10)).toContain('%%EOF')
  })

  test('of pages that do not exist is the caller’s mistake', async () => {
    const { error } = await take(session, { pdf: { pageRanges: '7-9' } })
    expect(error).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining('Page range') as string })
  })
})

describe('a PDF that the browser has written to its temporary folder', () => {
  /** A page whose browser responds to each IO.read like this. */
  const siteThat = (read: () => Promise<object>) => {
    const asked: string[] = []
    const sendCommand = (method: string) => {
      asked.push(method)
      if (method === 'IO.read') return read()
      return Promise.resolve(method === 'Page.printToPDF' ? { stream: '1' } : {})
    }
    const site = { sendCommand, details: new ActionDetails(), signal: new AbortController().signal }
    return { asked, print: () => pdf(site as unknown as ActionSite, INPUT) }
  }
  const INPUT = {
    format: 'A4',
    landscape: false,
    printBackground: true,
    scale: 1,
    pageRanges: null,
    timeoutMs: 30_000,
  } as const
  const MIB = 1024 * 1024

  // On a file system without room the browser cannot read what it could not write.
  test('without room for it is STORAGE_FULL', async () => {
    const { asked, print } = siteThat(() => Promise.reject(new Error('Read failed')))
    await expect(print()).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    expect(asked.at(-1)).toBe('IO.close')
  })

  test('and which has no end is not read to its end', async () => {
    const data = 'x'.repeat(2 * MIB)
    const { asked, print } = siteThat(() => Promise.resolve({ data, eof: false }))
    await expect(print()).rejects.toMatchObject({
      code: 'NOT_ACTIONABLE',
      message: expect.stringContaining('128 MiB') as string,
    })
    expect(asked.filter((method) => method === 'IO.read')).toHaveLength(65)
    expect(asked.at(-1)).toBe('IO.close')
  })

  test('whose page is gone meanwhile fails for that reason', async () => {
    const { print } = siteThat(() => Promise.reject(new TargetGone()))
    await expect(print()).rejects.toThrow(TargetGone)
  })
})
