import { expect, test } from 'vitest'
import { importsOf } from './support/source-imports.ts'

test('imports are found in every form', () => {
  const code = `
    import a from './a.ts'
    import { b,
      c } from "./b.ts"
    import type { D } from './d.ts'
    import './e.ts'
    export { f } from './f.ts'
    export type { G } from './g.ts'
    export * from './h.ts'
    const i = await import('./i.ts')
    const j = new Worker(new URL('./j.ts', import.meta.url))
    type K = import('./k.ts').K
    // import './commented.ts'
    /* import './out.ts' */
    const text = 'rows from "table"'
  `
  const found = importsOf(code)
  expect(found.map(({ specifier }) => specifier).sort()).toEqual(
    ['a', 'b', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k'].map((name) => `./${name}.ts`),
  )
  expect(found.filter(({ typeOnly }) => typeOnly).map(({ specifier }) => specifier)).toEqual(['./d.ts', './g.ts'])
})
