import type { ArtifactRecord } from '../../ports/artifacts/artifact.ts'

/** How long a record is considered current. */
const FRESH_MS = 2_000
const MAX = 1_000

/**
 * Records of recently stored artifacts: a client that requests a screenshot usually opens it at once, without another
 * query of the store. If another server deletes one meanwhile, its bytes are missing.
 */
export class RecentArtifacts {
  /** Oldest first. */
  readonly #records = new Map<string, { record: ArtifactRecord; until: number }>()

  add(record: ArtifactRecord): void {
    const now = performance.now()
    for (const [id, { until }] of this.#records) {
      if (until > now && this.#records.size < MAX) break
      this.#records.delete(id)
    }
    this.#records.set(record.id, { record, until: now + FRESH_MS })
  }

  find(id: string): ArtifactRecord | null {
    const found = this.#records.get(id)
    return found && found.until > performance.now() ? found.record : null
  }

  delete(id: string): void {
    this.#records.delete(id)
  }
}
