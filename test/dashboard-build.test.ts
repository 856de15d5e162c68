import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ASSETS = join(import.meta.dirname, '..', 'dist-dashboard', 'dashboard', 'assets')

test('the dashboard is built for those who use it, although NODE_ENV says otherwise where it is built', () => {
  const scripts = readdirSync(ASSETS).filter((name) => name.endsWith('.js'))
  expect(scripts).not.toEqual([])
  for (const script of scripts) {
    // A message of React's development build, which is several times slower.
    expect(readFileSync(join(ASSETS, script), 'utf8').includes('Download the React DevTools')).toBe(false)
  }
})
