import { createHash } from 'node:crypto'
import { registerHooks } from 'node:module'
import { expect, test } from 'vitest'
import { readGraphiqlFiles } from '../../src/server/graphql/graphiql-files.ts'

test('the files of GraphiQL are those of its module, which this thread does not load', async () => {
  const loaded: string[] = []
  const hooks = registerHooks({
    load: (url, context, next) => {
      loaded.push(url)
      return next(url, context)
    },
  })
  const ofModule = () => loaded.filter((url) => url.includes('render-graphiql'))
  try {
    const files = await readGraphiqlFiles()
    expect(ofModule()).toEqual([])
    const texts = await import('@graphql-yoga/render-graphiql/graphiql')
    expect(ofModule()).not.toEqual([])
    for (const name of ['css', 'editorWorkerService', 'graphqlWorker', 'js', 'jsonWorker'] as const) {
      const { content, hash } = files[name]
      expect(content.equals(Buffer.from(texts[name]))).toBe(true)
      expect(hash).toBe(createHash('sha256').update(texts[name]).digest('base64url').slice(0, 16))
    }
  } finally {
    hooks.deregister()
  }
})
