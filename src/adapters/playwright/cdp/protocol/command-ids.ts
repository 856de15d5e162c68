/** Playwright numbers its commands from 1 on; ours start where it never comes, so that answers tell themselves apart. */
export const FIRST_OWN_ID = 1_000_000_000
/** The protocol's numbers are 32 bits wide. */
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
