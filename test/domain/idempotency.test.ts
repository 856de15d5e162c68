import { expect, test } from 'vitest'
import { hashOfOptions } from '../../src/domain/sessions/input/idempotency.ts'
import { parseStartSession } from '../../src/domain/sessions/input/session-input.ts'

test('hashes are those that earlier versions stored, so that a start can be repeated after an update', () => {
  const hashOf = (profileId: string | null) => hashOfOptions(parseStartSession({ name: 'a', profileId }))
  expect(hashOf(null)).toBe('d6407aad36dc75e17166e59a68eb5dfc999176fc2eb690bc3ec48758d385cb8d')
  expect(hashOf('0192f0c1-2d3e-7a4b-8c5d-6e7f8091a2b3')).toBe(
    '1f833447fc650c0974429f77707a52d6521c662e1a55bb43045605848dd8817b',
  )
})
