import type { ProtocolMapping } from 'devtools-protocol/types/protocol-mapping.js'

type Commands = ProtocolMapping.Commands

/** The name of a command of the Chrome DevTools Protocol. */
export type CdpMethod = keyof Commands

/** The parameters of a command. */
export type CdpParams<M extends CdpMethod> = M extends CdpMethod
  ? Commands[M]['paramsType'] extends []
    ? Record<string, never>
    : NonNullable<Commands[M]['paramsType'][0]>
  : never

/** The result of a command, as the documentation has it; a browser may say anything. */
export type CdpResult<M extends CdpMethod> = Commands[M]['returnType'] extends void ? object : Commands[M]['returnType']

/** One of several commands, with its parameters. */
export type CdpCommand<M extends CdpMethod> = { [K in M]: { method: K; params: CdpParams<K> } }[M]

/** Parameters, where the command must have some, and the session. */
export type CdpArguments<M extends CdpMethod> = Commands[M]['paramsType'] extends [params: object]
  ? [params: CdpParams<M>, sessionId?: string]
  : [params?: CdpParams<M>, sessionId?: string]
