import type { Emulation } from '../../../ports/browser/emulation.ts'
import type { CommandParams } from './command-policy.ts'

interface MediaFeature {
  name: string
  value: string
}

/**
 * Client libraries give each page the media features that they take for those of a browser, before they let it run. Where
 * the session has options for them, these stay; what a client sends later is what its user wants.
 */
export class DefaultMedia {
  readonly #features: readonly MediaFeature[]
  /** Sessions of the client that are prepared. */
  readonly #prepared = new Set<string>()

  constructor({ colorScheme, reducedMotion }: Pick<Emulation, 'colorScheme' | 'reducedMotion'>) {
    const feature = (name: string, value: string | null) =>
      value === null ? [] : [{ name, value: value.toLowerCase().replace('_', '-') }]
    this.#features = [
      ...feature('prefers-color-scheme', colorScheme),
      ...feature('prefers-reduced-motion', reducedMotion),
    ]
  }

  /** The parameters that the browser is given, for a session with a page or frame of the session's own context. */
  command(method: string, params: CommandParams, sessionId: string): CommandParams {
    if (this.#features.length === 0) return params
    if (method === 'Runtime.runIfWaitingForDebugger') this.#prepared.add(sessionId)
    if (method !== 'Emulation.setEmulatedMedia' || this.#prepared.has(sessionId)) return params
    const given = Array.isArray(params['features']) ? (params['features'] as Partial<MediaFeature>[]) : []
    const others = given.filter((one) => !this.#features.some(({ name }) => name === one?.name))
    return { ...params, features: [...others, ...this.#features] }
  }

  forget(sessionId: string): void {
    this.#prepared.delete(sessionId)
  }
}
