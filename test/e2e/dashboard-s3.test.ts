import type { Browser } from 'playwright'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { actionApi, outcomes } from '../support/action-api.ts'
import { launchPersonsBrowser, openDashboard, sessionQuery } from '../support/dashboard-page.ts'
import { leakGate } from '../support/leak-gate.ts'
import { startS3, type TestS3 } from '../support/s3-server.ts'
import { sessionApi } from '../support/session-api.ts'
import { startTestApp, type TestApp } from '../support/start-app.ts'

leakGate()

let s3: TestS3
let browser: Browser

beforeAll(async () => {
  s3 = await startS3()
  browser = await launchPersonsBrowser()
})

afterAll(async () => {
  await browser?.close()
  await s3?.close()
})

const policyOf = async (tabwire: TestApp) => {
  const policy = (await fetch(`${tabwire.url}/`)).headers.get('content-security-policy')!
  return Object.fromEntries(policy.split('; ').map((rule) => [rule.split(' ')[0], rule.split(' ').slice(1)]))
}

/** A screenshot of a page, as the dashboard shows it. */
async function lookAtPreview(tabwire: TestApp): Promise<{ width: number; complaints: string[]; asked: string[] }> {
  const { id } = await sessionApi(() => tabwire).start({ viewport: { width: 400, height: 300 } })
  expect(outcomes(await actionApi(() => tabwire).run(id, [{ screenshot: {} }]))).toEqual(['DONE'])
  const { page, context, complaints, outside } = await openDashboard(browser, tabwire, {
    query: sessionQuery(id, 'artifacts'),
  })
  const asked: string[] = []
  page.on('request', (request) => asked.push(new URL(request.url()).origin))
  await page.reload()
  const preview = page.getByRole('img', { name: /^Preview of screenshot/ })
  // An image that has no source yet counts as complete.
  const widthNow = () => preview.evaluate((image) => (image as HTMLImageElement).naturalWidth)
  await expect.poll(widthNow).toBeGreaterThan(0)
  const width = await widthNow()
  await context.close()
  expect(outside).toEqual([])
  return { width, complaints, asked: [...new Set(asked)] }
}

test('where downloads are redirected to a bucket, previews come from there, and nothing else may', async () => {
  const tabwire = await startTestApp({ artifacts: { ...s3.config, downloads: 'redirect' } })
  try {
    const { endpoint } = s3.config
    const policy = await policyOf(tabwire)
    expect(policy['img-src']).toEqual(["'self'", 'data:', 'blob:', endpoint])
    expect(policy['media-src']).toEqual(["'self'", endpoint])
    const others = Object.entries(policy).filter(([name]) => name !== 'img-src' && name !== 'media-src')
    expect(JSON.stringify(others)).not.toMatch(/unsafe|https?:|\*/)
    const { width, complaints, asked } = await lookAtPreview(tabwire)
    expect(complaints).toEqual([])
    expect(width).toBe(400)
    expect(asked).toContain(endpoint)
  } finally {
    await tabwire.close()
  }
})

test('where downloads go through the server, the page may ask nobody else', async () => {
  const tabwire = await startTestApp({ artifacts: s3.config })
  try {
    expect(JSON.stringify(await policyOf(tabwire))).not.toMatch(/unsafe|https?:|\*/)
    const { width, complaints, asked } = await lookAtPreview(tabwire)
    expect([width, complaints]).toEqual([400, []])
    expect(asked).toEqual([tabwire.url])
  } finally {
    await tabwire.close()
  }
})
