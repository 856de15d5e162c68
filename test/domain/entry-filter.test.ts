import { expect, test } from 'vitest'
import { checkedFilter } from '../../src/domain/log/entries/entry-filter.ts'
import { BadUserInput } from '../../src/domain/kernel/errors.ts'

test('a filter holds each value once, so that nothing is counted twice', () => {
  const filter = checkedFilter({
    kinds: Array(1_000).fill('CONSOLE_MESSAGE'),
    console: { levels: ['LOG', 'LOG', 'ERROR'] },
    network: { methods: Array(1_000).fill('GET'), resourceTypes: ['FETCH', 'FETCH'] },
  })
  expect(filter).toMatchObject({
    kinds: ['CONSOLE_MESSAGE'],
    console: { levels: ['LOG', 'ERROR'] },
    network: { methods: ['GET'], resourceTypes: ['FETCH'] },
  })
})

test('an empty list stays one, which lets nothing through, and what is absent stays absent', () => {
  expect(checkedFilter({ kinds: [], network: { methods: [] } })).toMatchObject({ kinds: [], network: { methods: [] } })
  expect(checkedFilter({ kinds: null })).toMatchObject({ kinds: null })
})

test('it names no more methods than each entry may be compared with', () => {
  const methods = (count: number) => Array.from({ length: count }, (_, index) => `M${index}`)
  expect(checkedFilter({ kinds: null, network: { methods: methods(50) } }).network?.methods).toHaveLength(50)
  expect(() => checkedFilter({ kinds: null, network: { methods: methods(51) } })).toThrow(BadUserInput)
})
