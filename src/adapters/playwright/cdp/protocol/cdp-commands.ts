import type { ProtocolMapping } from 'devtools-protocol/types/protocol-mapping.js'

type Commands = ProtocolMapping.Commands

/** Name of a command of the Chrome DevTools Protocol. */
export type CdpMethod = keyof Commands

/** Parameters of a command. */
export type CdpParams<M extends CdpMethod> = M extends CdpMethod
  ? Commands[M]['paramsType'] extends []
    ? Record<string, never>
    : NonNullable<Commands[M]['paramsType'][0]>
  : never

/** Result of a command, as documented; a browser may send anything. */
export type CdpResult<M extends CdpMethod> = Commands[M]['returnType'] extends void ? object : Commands[M]['returnType']

/** One of several commands, with its parameters. */
export type CdpCommand<M extends CdpMethod> = { [K in M]: { method: K; params: CdpParams<K> } }[M]

/** Parameters, if the command requires some, and the session. */
export type CdpArguments<M extends CdpMethod> = Commands[M]['paramsType'] extends [params: object]
  ? [params: CdpParams<M>, sessionId?: string]
  : [params?: CdpParams<M>, sessionId?: string]
