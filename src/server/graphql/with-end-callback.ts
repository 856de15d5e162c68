/** The same results; calls back after the last one. */
export function withEndCallback<T>(
  results: AsyncGenerator<T, void, void>,
  ended: () => void,
): AsyncGenerator<T, void, void> {
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next: async () => {
      const result = await results.next()
      if (result.done) ended()
      return result
    },
    return: () => results.return(),
    throw: (error: unknown) => results.throw(error),
    [Symbol.asyncDispose]: () => results[Symbol.asyncDispose](),
  }
}
