import { readEntryData } from '../../../contract/entries/read-entry.ts'
import type { RequestTexts } from '../../../contract/entries/request-texts.ts'
import { ENTRY_VERSION } from '../../../contract/entries/upgrades.ts'
import type { EntryData } from '../../../ports/log/log-entry.ts'
import type { StoredRequest } from '../../../ports/store/store.ts'

/** A request whose content a reader of texts has found valid. */
export class StoredRequestEntry implements StoredRequest {
  readonly kind = 'NETWORK_REQUEST'
  readonly sequence: number
  readonly at: number
  readonly texts: RequestTexts
  readonly #content: string

  constructor(sequence: number, at: number, content: string, texts: RequestTexts) {
    this.sequence = sequence
    this.at = at
    this.texts = texts
    this.#content = content
  }

  get data(): EntryData['NETWORK_REQUEST'] {
    const stored: unknown = JSON.parse(this.#content)
    const { data, problem } = readEntryData({ kind: this.kind, version: ENTRY_VERSION, at: this.at, data: stored })
    if (problem !== null) throw new Error(`a request that was read as texts is none: ${problem}`)
    return data
  }
}
