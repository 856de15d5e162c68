import { z } from 'zod'
import { defineInput, field, type EnumDefinition } from '../../../contract/input/input-field.ts'
import type { EgressMode, EgressPolicy, HostRule, UpstreamProxy } from '../../../ports/egress/egress.ts'
import { refusalBy, refusingRule } from '../../../egress/refusal.ts'
import { readHostRule } from '../../../egress/host-rule.ts'
import type { SessionEgress } from '../../../ports/egress/session-egress.ts'
import { describeUpstream, readUpstreamProxy, upstreamParts } from '../../../egress/upstream-proxy.ts'
import type { InputIssue } from '../../kernel/errors.ts'
import { readInitialPrompt } from './initial-prompt.ts'
import { refusePageAddress } from '../../kernel/navigation-policy.ts'

/** In descending order of what they allow. */
const EGRESS_MODES = ['OPEN', 'PUBLIC', 'NONE'] as const satisfies readonly EgressMode[]

const NEVER_OPENED = 'Cloud metadata services and link-local addresses are never opened.'

export const EGRESS_MODE: EnumDefinition<EgressMode> = {
  enumName: 'EgressMode',
  description: `Which hosts the pages of a session can reach. ${NEVER_OPENED}`,
  values: {
    OPEN: 'Every host that the server can reach, including private ones and the server itself.',
    PUBLIC: 'Hosts with a public address, and those of TABWIRE_EGRESS_ALLOW.',
    NONE: 'Only the hosts of TABWIRE_EGRESS_ALLOW.',
  },
}

const LIMITS = { allowedHosts: 100, credential: 255 } as const

export const EGRESS_INPUT_RULES = {
  allowedHosts: `At most ${LIMITS.allowedHosts}: host names (example.com), names of all hosts below one (*.example.com), IP addresses and CIDR blocks, each with an optional port (example.com:8443).`,
  proxyServer: 'http://, https:// or socks5://, a host and a port, such as "http://proxy.example:3128".',
  credential: `1 to ${LIMITS.credential} bytes without control characters.`,
} as const

/** The maximum that sessions of a server may reach. */
export interface ServerEgress {
  mode: EgressMode
  allow: readonly HostRule[]
}

interface ProxyInput {
  server: string
  username?: string | null
  password?: string | null
}

/** Input members that restrict what a session may reach. */
export interface EgressInput {
  egress?: EgressMode | null
  allowedHosts?: readonly string[] | null
  proxy?: ProxyInput | null
}

/** EgressInput after validation. */
export interface EgressOptions {
  egress: EgressMode | null
  allowedHosts: HostRule[] | null
  proxy: UpstreamProxy | null
}

const refuse = (context: z.RefinementCtx, code: string, message: string, path: (string | number)[] = []) => {
  context.addIssue({ code: 'custom', message, path, params: { code } })
}

const allowedHosts = z.array(z.string()).transform((given, context): HostRule[] => {
  if (given.length > LIMITS.allowedHosts) {
    refuse(context, 'TOO_LONG', `must have at most ${LIMITS.allowedHosts} hosts; it has ${given.length}`)
    return z.NEVER
  }
  return given.map((text, index) => {
    const { rule, problem } = readHostRule(text)
    if (problem !== null) refuse(context, 'INVALID_FORMAT', problem, [index])
    return rule ?? ''
  })
})

export const PROXY_INPUT = defineInput(
  'ProxyInput',
  'A proxy for all connections of a session. Credentials are not stored, and not shown anywhere; they may also be part of the server, as in "http://user:password@proxy.example:3128".',
  {
    server: field.of(
      'String',
      z.string(),
      `${EGRESS_INPUT_RULES.proxyServer} A private address must be among the hosts that the session can reach.`,
      { required: true },
    ),
    username: field.of(
      'String',
      z.string().nullish(),
      `User name. Required with a password. ${EGRESS_INPUT_RULES.credential}`,
    ),
    password: field.of('String', z.string().nullish(), `Password. ${EGRESS_INPUT_RULES.credential}`),
  },
)

// No message quotes the input: it may contain a password.
const proxy = PROXY_INPUT.rule.transform(({ server, username, password }, context): UpstreamProxy => {
  for (const [name, value] of [
    ['username', username],
    ['password', password],
  ] as const) {
    if (value == null) continue
    if (value === '' || /\p{Cc}/u.test(value) || !value.isWellFormed()) {
      refuse(context, 'INVALID_FORMAT', `must have ${EGRESS_INPUT_RULES.credential}`, [name])
    } else if (Buffer.byteLength(value) > LIMITS.credential) {
      refuse(context, 'TOO_LONG', `must have ${EGRESS_INPUT_RULES.credential}`, [name])
    }
  }
  if (username == null && password != null) {
    refuse(context, 'REQUIRED', 'must be given with a password', ['username'])
  }
  if (username != null && server.includes('@')) {
    refuse(context, 'CONFLICT', 'is given in the server as well', ['username'])
    return z.NEVER
  }
  const encoded = (value: string | null | undefined) => encodeURIComponent((value ?? '').toWellFormed())
  const credentials = username == null ? '' : `${encoded(username)}:${encoded(password)}@`
  const { proxy: read, problem } = readUpstreamProxy(server.replace(/^(\w+:\/\/)/, `$1${credentials}`))
  if (read && upstreamParts(read).port > 0) return read
  refuse(context, 'INVALID_FORMAT', problem ?? 'must have a port from 1 to 65535', ['server'])
  return z.NEVER
})

/** For the schema of the whole input. */
export const EGRESS_MEMBERS = {
  egress: z.enum(EGRESS_MODES),
  allowedHosts,
  proxy,
} as const

/** The policy of a session. The input can only restrict what the server allows: see `egressIssues`. */
export function policyOf(
  { egress, allowedHosts: hosts, proxy: upstream }: EgressOptions,
  server: ServerEgress,
): EgressPolicy {
  return { mode: egress ?? server.mode, allow: server.allow, allowedHosts: hosts, upstream }
}

/** The displayed policy: without credentials. */
export function shownEgress({ mode, allowedHosts: hosts, upstream }: EgressPolicy): SessionEgress {
  return { mode, allowedHosts: hosts && [...hosts], proxy: upstream && describeUpstream(upstream) }
}

/** The policy restored from its displayed form, as far as it decides which addresses may be opened. */
export function policyOfShown(shown: SessionEgress | null, server: ServerEgress): EgressPolicy {
  const { mode, allowedHosts: hosts } = shown ?? { mode: server.mode, allowedHosts: null }
  return { mode, allow: server.allow, allowedHosts: hosts, upstream: null }
}

/** Reports input that requests more than the server allows; rules of form are checked elsewhere. */
export function egressIssues(
  input: EgressInput & { initialPrompt?: string | null },
  server: ServerEgress,
): InputIssue[] {
  const issues: InputIssue[] = []
  const asked = EGRESS_MEMBERS.egress.nullish().safeParse(input.egress)
  const mode = (asked.success && asked.data) || server.mode
  const isWider = EGRESS_MODES.indexOf(mode) < EGRESS_MODES.indexOf(server.mode)
  if (isWider) {
    const message = `must be ${server.mode} or narrower on this server (TABWIRE_EGRESS=${server.mode.toLowerCase()})`
    issues.push({ path: ['input', 'egress'], code: 'FORBIDDEN_VALUE', message })
  }
  const hosts = allowedHosts.nullish().safeParse(input.allowedHosts)
  const policy: EgressPolicy = {
    mode: isWider ? server.mode : mode,
    allow: server.allow,
    allowedHosts: (hosts.success && hosts.data) || null,
    upstream: null,
  }
  const upstream = proxy.nullish().safeParse(input.proxy)
  if (upstream.success && upstream.data) {
    // The connection to the proxy is the session's own, although no page requested its host.
    const { host, port } = upstreamParts(upstream.data)
    const url = new URL(`http://${host.includes(':') ? `[${host}]` : host}:${port}`)
    const rule = refusingRule(url, { ...policy, allowedHosts: null })
    if (rule !== null) {
      issues.push({
        path: ['input', 'proxy', 'server'],
        code: 'FORBIDDEN_VALUE',
        message: refusalBy(rule, policy.mode),
      })
    }
  }
  const prompt = typeof input.initialPrompt === 'string' ? readInitialPrompt(input.initialPrompt) : null
  // Hosts that are always blocked are reported with the rules of form.
  if (prompt?.kind === 'URL' && refusePageAddress(prompt.url) === null) {
    const message = refusePageAddress(prompt.url, policy)
    if (message !== null) issues.push({ path: ['input', 'initialPrompt'], code: 'FORBIDDEN_VALUE', message })
  }
  return issues
}
