import { BODY_CAPTURE, NO_CAPTURE } from '../../domain/sessions/input/capture-input.ts'
import type { CaptureOptions } from '../../ports/browser/capture.ts'
import { NO_REDACTION, type RedactionRules } from '../../ports/sessions/redaction.ts'
import { builder } from '../base/builder.ts'
import { enumTypeOf } from '../base/input-type.ts'
import { NEEDS, readOrGiven } from '../base/needs.ts'
import { Session } from './session.ts'

const BodyCaptureEnum = enumTypeOf(BODY_CAPTURE)

const CaptureType = builder.objectRef<CaptureOptions>('Capture').implement({
  authScopes: NEEDS.asItsField,
  description: 'Recording of the content of requests, WebSocket messages and console calls.',
  fields: (t) => ({
    bodies: t.expose('bodies', {
      type: BodyCaptureEnum,
      description: 'Bodies of requests and responses; fewer than requested if the server’s limit is lower.',
    }),
    maxBodyBytes: t.exposeInt('maxBodyBytes', { description: 'Maximum bytes recorded of one body.' }),
    webSocketMessages: t.exposeBoolean('webSocketMessages', {
      description: 'Whether messages of WebSockets and of event streams are recorded.',
    }),
    consoleArguments: t.exposeBoolean('consoleArguments', {
      description: 'Whether arguments of console calls are recorded as data.',
    }),
  }),
})

const RedactionType = builder.objectRef<RedactionRules>('Redaction').implement({
  authScopes: NEEDS.asItsField,
  description: 'Rules for masking secrets as [redacted] in the log of a session: its own and those of the server.',
  fields: (t) => ({
    headers: t.stringList({ description: 'Names of headers.', resolve: ({ headers }) => [...headers] }),
    jsonKeys: t.stringList({ description: 'Keys in JSON bodies.', resolve: ({ jsonKeys }) => [...jsonKeys] }),
    urlParameters: t.stringList({
      description: 'Names of parameters in URLs, and of fields in form bodies.',
      resolve: ({ urlParameters }) => [...urlParameters],
    }),
    patterns: t.stringList({
      description: 'Regular expressions in RE2 syntax.',
      resolve: ({ patterns }) => [...patterns],
    }),
  }),
})

builder.objectFields(Session, (t) => ({
  capture: t.field({
    authScopes: readOrGiven('capture'),
    type: CaptureType,
    description:
      'Bodies, messages and logged objects that its log records. None for sessions of versions that recorded none.',
    resolve: ({ capture }) => capture ?? NO_CAPTURE,
  }),
  redact: t.field({
    authScopes: readOrGiven('redact'),
    type: RedactionType,
    description: 'Redaction rules of its log.',
    resolve: ({ redact }) => redact ?? NO_REDACTION,
  }),
}))
