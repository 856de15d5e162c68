import { EGRESS_INPUT_RULES } from '../../domain/sessions/egress-input.ts'
import type { EgressMode } from '../../ports/egress.ts'
import { builder } from '../base/builder.ts'
import { describedValues } from '../base/enum-values.ts'

const NEVER = 'Cloud metadata services and link-local addresses are never opened.'

export const EgressModeEnum = builder.enumType('EgressMode', {
  description: `Which hosts the pages of a session can reach. ${NEVER}`,
  values: describedValues<EgressMode>({
    OPEN: 'Every host that the server reaches, private ones and the server itself among them.',
    PUBLIC: 'Hosts with a public address, and those of TABWIRE_EGRESS_ALLOW.',
    NONE: 'Only the hosts of TABWIRE_EGRESS_ALLOW.',
  }),
})

export const ProxyInput = builder.inputType('ProxyInput', {
  description:
    'A proxy for all connections of a session. Credentials are not stored, and not shown anywhere; they may also be part of the server, as in "http://user:password@proxy.example:3128".',
  fields: (t) => ({
    server: t.string({
      required: true,
      description: `${EGRESS_INPUT_RULES.proxyServer} A private address must be among the hosts that the session can reach.`,
    }),
    username: t.string({
      description: `User name. Required with a password. ${EGRESS_INPUT_RULES.credential}`,
    }),
    password: t.string({ description: `Password. ${EGRESS_INPUT_RULES.credential}` }),
  }),
})
