import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { TokenPrincipals } from '../../src/domain/access/token-principals.ts'
import { ApiKeys } from '../../src/domain/keys/api-keys.ts'
import { SignIn } from '../../src/domain/keys/sign-in.ts'
import { LiveViewLinks } from '../../src/domain/links/live-view-links.ts'
import { SignedLinks } from '../../src/domain/links/signed-links.ts'
import { createLogger } from '../../src/logger.ts'
import { store, useStore } from '../support/session-log.ts'

useStore()

test('who acts is told apart from whose it is: a key, a user of the identity provider, a link', async () => {
  const keys = new ApiKeys(store, createLogger('silent'))
  const signIn = new SignIn(keys, () => ['a secret of the test'])
  const { secret } = (await signIn.exchange(signIn.issueCode('ann')))!
  const byKey = (await keys.authenticate(secret))!
  expect(byKey).toMatchObject({ owner: 'ann', actor: `key:${byKey.apiKeyId}` })

  const verified = { subject: 'ann', scopes: ['read'], expiresAt: Date.now() + 60_000 }
  const tokens = new TokenPrincipals({ verify: () => Promise.resolve(verified), close: () => {} })
  expect(await tokens.read('a token')).toMatchObject({ owner: 'ann', actor: 'user:ann' })

  const sessionId = randomUUID()
  const watch = { isValid: () => Promise.resolve(true), onInvalid: () => () => {} }
  const links = new SignedLinks(
    () => ['a secret of the test'],
    () => 'http://127.0.0.1',
    watch,
  )
  const findRunning = (id: string) => Promise.resolve({ sessionId: id, owner: 'ann' })
  const liveViews = new LiveViewLinks(links, { findRunning } as unknown as ConstructorParameters<
    typeof LiveViewLinks
  >[1])
  const token = liveViews.sign(sessionId, true, links.terms(byKey, 60))
  expect(await liveViews.read(token)).toMatchObject({ owner: 'ann', actor: `link:${sessionId}`, sessionId })
})
