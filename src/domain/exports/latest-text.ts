/** The text made last, which is reused for as long as the values that it is made of stay the same. */
export class LatestText {
  #values: readonly unknown[] = []
  #text: string | null = null

  textOf(values: readonly unknown[], make: () => string): string {
    if (this.#text === null || values.some((value, index) => value !== this.#values[index])) {
      this.#text = make()
      this.#values = values
    }
    return this.#text
  }
}
