import { setImmediate as turn } from 'node:timers/promises'
import type { ArtifactRecord } from '../../ports/artifacts/artifact.ts'
import type { Artifacts } from './artifacts.ts'

type Found = ReadonlyMap<string, ArtifactRecord>

/** Artifacts that entries of a log name, as read by one operation: those of a page are found together. */
export class OperationArtifacts {
  readonly #artifacts: Pick<Artifacts, 'findAll'>
  #gathering: { ids: Set<string>; found: Promise<Found> } | null = null

  constructor(artifacts: Pick<Artifacts, 'findAll'>) {
    this.#artifacts = artifacts
  }

  /** Null: it is another owner's, or was deleted. Rejects with StoreUnavailable. */
  async find(owner: string, id: string): Promise<ArtifactRecord | null> {
    this.#gathering ??= this.#gather()
    const { ids, found } = this.#gathering
    ids.add(id)
    const record = (await found).get(id)
    return record?.owner === owner ? record : null
  }

  #gather() {
    const ids = new Set<string>()
    const found = turn().then((): Promise<Found> => {
      this.#gathering = null
      return this.#artifacts.findAll([...ids])
    })
    return { ids, found }
  }
}
