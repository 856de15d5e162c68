/** Playwright numbers its commands from 1; ours start beyond its reach, so that responses can be told apart. */
export const FIRST_OWN_ID = 1_000_000_000
/** The protocol's numbers have 32 bits. */
const LAST_OWN_ID = 2_147_000_000

/** Numbers our own commands to one browser. */
export class CommandIds {
  #next = FIRST_OWN_ID

  next(): number {
    const id = this.#next++
    if (this.#next > LAST_OWN_ID) this.#next = FIRST_OWN_ID
    return id
  }
}
