import type { Protocol } from 'devtools-protocol'
import { expect, test } from 'vitest'
import { sentCookies, setCookies } from '../../../src/adapters/playwright/recorders/exchanges/network-cookies.ts'
import { TEXT_LIMITS } from '../../../src/ports/log/log-entry.ts'

const cookie = (name: string) =>
  ({
    name,
    value: '1',
    domain: 'a.test',
    path: '/',
    expires: -1,
    httpOnly: false,
    secure: true,
  }) as Protocol.Network.Cookie

test('a cookie that is allowed by an exemption has its reason, others have none', () => {
  const allowed = { cookieLine: 'a=1', cookie: cookie('a'), exemptionReason: 'UserSetting' as const }
  const { list } = setCookies('a=1\nb=2', { exemptedCookies: [allowed] }, 0)
  expect(list.map(({ name, exemptionReason }) => [name, exemptionReason])).toEqual([
    ['a', 'UserSetting'],
    ['b', null],
  ])
  const sent = sentCookies([{ cookie: cookie('c'), blockedReasons: [], exemptionReason: 'None' }])
  expect(sent.list).toMatchObject([{ name: 'c', exemptionReason: null, blockedReasons: [] }])
})

test('a cookie expires so long after its response, if it says so, whatever else it says', () => {
  const lines = [
    'a=1; Max-Age=60; Expires=Wed, 01 Jan 2025 00:00:00 GMT',
    'b=2; Expires=Thu, 01 Jan 1970 00:00:09 GMT',
    'c=3',
  ]
  const { list } = setCookies(lines.join('\n'), {}, 5_000)
  expect(list.map(({ expiresAt }) => expiresAt)).toEqual([65_000, 9_000, null])
})

test('cookies that were sent come before blocked ones, of which the rest is counted', () => {
  const blocked = Array.from({ length: TEXT_LIMITS.cookieCount }, (_, index) => ({
    cookie: cookie(`blocked${index}`),
    blockedReasons: ['SecureOnly' as const],
  }))
  const { list, omitted } = sentCookies([...blocked, { cookie: cookie('sent'), blockedReasons: [] }])
  expect(list[0]).toMatchObject({ name: 'sent', blockedReasons: [] })
  expect([list.length, omitted]).toEqual([TEXT_LIMITS.cookieCount, 1])
})
