import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isNonNullType,
  isObjectType,
  isSpecifiedScalarType,
  Kind,
  parse,
  validate,
  type GraphQLField,
} from 'graphql'
import { describe, expect, test } from 'vitest'
import { API_KEY_INPUT_RULES } from '../src/domain/keys/api-key-input.ts'
import { SESSION_INPUT_RULES } from '../src/domain/sessions/input/session-rules.ts'
import { decodeGlobalId, encodeGlobalId } from '../src/contract/global-id.ts'
import { undeclaredFields } from '../src/schema/base/needs.ts'
import { printedSchema, schema } from '../src/schema/schema.ts'

const ROOT = join(import.meta.dirname, '..')
const types = Object.values(schema.getTypeMap()).filter(
  (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
)
const fieldsOf = (type: (typeof types)[number]): GraphQLField<unknown, unknown>[] =>
  isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : []

test('schema.graphql is what the code prints', () => {
  expect(readFileSync(join(ROOT, 'schema.graphql'), 'utf8')).toBe(printedSchema())
})

test('a field whose scope nobody has declared is named, and none is left', () => {
  const declared = { pothosOptions: { authScopes: { READ: true } } }
  const Inner = new GraphQLObjectType({
    name: 'Inner',
    fields: { text: { type: GraphQLString } },
    extensions: declared,
  })
  const query = new GraphQLObjectType({
    name: 'Query',
    fields: {
      open: { type: GraphQLString },
      closed: { type: GraphQLString, extensions: declared },
      inner: { type: Inner, extensions: declared },
    },
  })
  expect(undeclaredFields(new GraphQLSchema({ query }))).toEqual(['Query.open'])
  expect(undeclaredFields(schema)).toEqual([])
})

describe('descriptions', () => {
  const described = types.flatMap((type) => [
    { place: type.name, description: type.description },
    ...fieldsOf(type).flatMap((field) => [
      { place: `${type.name}.${field.name}`, description: field.description },
      ...field.args.map((argument) => ({
        place: `${type.name}.${field.name}(${argument.name})`,
        description: argument.description,
      })),
    ]),
    ...(isInputObjectType(type) ? Object.values(type.getFields()) : []).map((field) => ({
      place: `${type.name}.${field.name}`,
      description: field.description,
    })),
    ...(isEnumType(type) ? type.getValues() : []).map((value) => ({
      place: `${type.name}.${value.name}`,
      description: value.description,
    })),
  ])

  test('are there for every type, field, argument, input member and enum value', () => {
    expect(described.length).toBeGreaterThan(300)
    expect(described.filter(({ description }) => !description?.trim()).map(({ place }) => place)).toEqual([])
  })

  test('tell what null means wherever there may be null', () => {
    const silent = types
      .filter((type) => isObjectType(type) && !['Query', 'Mutation', 'Subscription'].includes(type.name))
      .flatMap((type) => fieldsOf(type).map((field) => ({ place: `${type.name}.${field.name}`, field })))
      .filter(({ field }) => !isNonNullType(field.type) && !/\bnull\b/i.test(field.description ?? ''))
    expect(silent.map(({ place }) => place)).toEqual([])
  })

  const UNITS = { Ms: /millisecond/i, Seconds: /second/i, Bytes: /byte/i }

  test('tell the unit of every duration and byte count', () => {
    const silent = types
      .flatMap((type) => fieldsOf(type).map((field) => ({ place: `${type.name}.${field.name}`, field })))
      .filter(({ field }) => {
        const unit = Object.entries(UNITS).find(([suffix]) => field.name.endsWith(suffix))?.[1]
        return unit && !unit.test(field.description ?? '')
      })
    expect(silent.map(({ place }) => place)).toEqual([])
  })

  test.each([
    ['StartSessionInput', SESSION_INPUT_RULES],
    ['UpdateSessionInput', SESSION_INPUT_RULES],
    ['CreateApiKeyInput', API_KEY_INPUT_RULES],
  ])('of %s carry the rules that are checked', (name, rules) => {
    const type = schema.getType(name)
    if (!isInputObjectType(type)) throw new Error(`${name} is no input type`)
    const fields = type.getFields()
    const silent = Object.entries(rules).filter(
      ([member, rule]) => fields[member] && !fields[member].description?.includes(rule),
    )
    expect(silent).toEqual([])
  })
})

describe('the contract of names', () => {
  // As docs and clients outside the project rely on them: a change here breaks them.
  test.each([
    ['Session.metadata', 'JSON!'],
    ['Session.status', 'SessionStatus!'],
    ['Session.endReason', 'SessionEndReason'],
    ['Session.lastNavigationError', 'NavigationError'],
    ['NavigationError.url', 'String!'],
    ['NavigationError.code', 'ActionErrorCode!'],
    ['NavigationError.message', 'String!'],
    ['NavigationError.at', 'DateTime!'],
    ['Session.idleTimeoutSeconds', 'Int!'],
    ['Session.expiresAt', 'DateTime'],
    ['Session.lastActivityAt', 'DateTime!'],
    ['Session.durationMs', 'Int!'],
    ['Session.machineId', 'ID'],
    ['Session.health', 'SessionHealth'],
    ['Session.pages', '[Page!]'],
    ['Session.pendingRequests', '[PendingRequest!]!'],
    ['Session.consoleMessages', 'ConsoleMessageConnection!'],
    ['Session.networkRequests', 'NetworkRequestConnection!'],
    ['Session.events', 'SessionEventConnection!'],
    ['SessionConnection.edges', '[SessionEdge!]!'],
    ['SessionConnection.nodes', '[Session!]!'],
    ['SessionConnection.totalCount', 'Int!'],
    ['PageInfo.endCursor', 'String'],
    ['ConsoleMessage.text', 'String!'],
    ['ConsoleMessage.location', 'SourceLocation'],
    ['SourceLocation.line', 'Int'],
    ['ConsoleMessage.truncated', 'Int!'],
    ['NetworkRequest.requestBytes', 'SafeInt'],
    ['NetworkRequest.responseHeaders', 'JSON'],
    ['NetworkRequest.requestHeaders', 'JSON!'],
    ['NetworkRequest.timing', 'NetworkTiming'],
    ['EntriesDropped.kinds', '[SessionEventKind!]!'],
    ['ConsoleMessageBatch.entries', '[ConsoleMessage!]!'],
    ['NetworkRequestBatch.cursor', 'String!'],
    ['SessionEventBatch.live', 'Boolean!'],
    ['SessionEventBatch.dropped', 'Int!'],
    ['SessionEventBatch.droppedUnknown', 'Boolean!'],
    ['Session.cost', 'Cost!'],
    ['Session.access', 'SessionAccess'],
    ['SessionAccess.cdpUrl', 'String!'],
    ['SessionAccess.liveViewUrl', 'String!'],
    ['SessionAccess.expiresAt', 'DateTime!'],
    ['ClientAttached.name', 'String!'],
    ['ClientDetached.name', 'String!'],
    ['Session.tasks', '[Task!]!'],
    ['Task.session', 'Session!'],
    ['Task.prompt', 'String!'],
    ['Task.status', 'TaskStatus!'],
    ['Task.result', 'JSON'],
    ['Task.error', 'String'],
    ['Task.steps', 'Int!'],
    ['Task.cost', 'Cost!'],
    ['Task.endedAt', 'DateTime'],
    ['Cost.inputTokens', 'SafeInt!'],
    ['Cost.outputTokens', 'SafeInt!'],
    ['Cost.usd', 'Float'],
    ['TaskStep.cost', 'Cost'],
    ['TaskEnded.taskStatus', 'TaskStatus!'],
    ['Mutation.startTask', 'Task!'],
    ['Mutation.runActions', '[Action!]!'],
    ['Session.actions', 'ActionConnection!'],
    ['Session.actionCount', 'Int!'],
    ['Session.screenshotCount', 'Int!'],
    ['Action.type', 'ActionType!'],
    ['Action.origin', 'ActionOrigin!'],
    ['Action.success', 'Boolean!'],
    ['Action.error', 'ActionError'],
    ['Action.durationMs', 'Int!'],
    ['Action.details', 'JSON!'],
    ['Action.result', 'JSON'],
    ['Action.artifact', 'Artifact'],
    ['Action.cost', 'Cost'],
    ['ActionError.code', 'ActionErrorCode!'],
    ['Page.observation', 'Observation!'],
    ['Observation.truncated', 'Int!'],
    ['Mutation.saveProfile', 'Profile!'],
    ['Mutation.deleteProfile', 'ID!'],
    ['Viewer.profiles', '[Profile!]!'],
    ['Session.artifacts', 'ArtifactConnection!'],
    ['Artifact.session', 'Session!'],
    ['Artifact.kind', 'ArtifactKind!'],
    ['Artifact.name', 'String!'],
    ['Artifact.contentType', 'String!'],
    ['Artifact.sizeBytes', 'SafeInt!'],
    ['Artifact.createdAt', 'DateTime!'],
    ['Artifact.url', 'String!'],
    ['Artifact.viewerUrl', 'String'],
    ['ArtifactCreated.artifact', 'Artifact'],
    ['Download.artifact', 'Artifact'],
    ['UploadTicket.url', 'String!'],
    ['Mutation.uploadArtifact', 'Artifact!'],
    ['Mutation.createUpload', 'UploadTicket!'],
    ['Mutation.deleteArtifact', 'ID!'],
    ['Mutation.cancelTask', 'Task!'],
    ['Query.node', 'Node'],
    ['Query.session', 'Session'],
    ['Query.viewer', 'Viewer!'],
    ['Mutation.startSession', 'Session!'],
    ['Mutation.terminateSessions', 'Int!'],
    ['Mutation.createApiKey', 'CreatedApiKey!'],
    ['Subscription.sessionChanged', 'Session!'],
    ['Subscription.screencast', 'ScreencastFrame!'],
    ['ScreencastFrame.at', 'DateTime!'],
    ['ScreencastFrame.pageId', 'ID!'],
    ['ScreencastFrame.data', 'String!'],
    ['ScreencastFrame.width', 'Int!'],
    ['ScreencastFrame.height', 'Int!'],
    ['ScreencastFrame.skipped', 'Int!'],
    ['Mutation.dispatchInput', 'Boolean!'],
  ])('%s is %s', (place, wanted) => {
    const [typename = '', name = ''] = place.split('.')
    const type = schema.getType(typename)
    const field = type && fieldsOf(type).find((one) => one.name === name)
    expect(String(field?.type)).toBe(wanted)
  })

  test('links work for an hour unless another time is asked for', () => {
    expect(printedSchema().match(/ttlSeconds: Int! = 3600/g)).toHaveLength(7)
  })

  test('defaults are those that the documentation promises', () => {
    const text = printedSchema()
    expect(text).toMatch(/sessions\([^)]*first: Int = 30/s)
    expect(text).toMatch(/includeTerminated: Boolean = false/)
    expect(text).toMatch(/waitUntil: StartWait = CREATING/)
    expect(text).toMatch(/viewport: ViewportInput = \{ ?width: 1920, height: 1080 ?\}/)
    expect(text).toMatch(/idleTimeoutSeconds: Int = 600/)
    expect(text).toMatch(/maxDurationSeconds: Int = 3600/)
    expect(text).toMatch(/input ActionInput @oneOf \{[^}]*navigate: NavigateInput[^}]*setViewport: ViewportInput/s)
    expect(text).toMatch(/input Target @oneOf \{[^}]*role: RoleTarget[^}]*ref: String/s)
    expect(text).toMatch(/input ClickInput \{[^}]*target: Target!/s)
    expect(text).toMatch(/input InputEvent @oneOf \{[^}]*mouse: MouseEventInput[^}]*touch: TouchEventInput/s)
    expect(text).toMatch(/record: \[RecordingKind!\] = \[\]/)
    expect(text).toMatch(/screenshot: Boolean = false/)
    expect(text.match(/first: Int = 100/g)).toHaveLength(8)
  })
})

test('types that are nodes or entries have their interfaces', () => {
  const entries = schema.getPossibleTypes(schema.getType('SessionEvent') as never).map(({ name }) => name)
  expect(entries.toSorted()).toEqual([
    'Action',
    'ArtifactCreated',
    'ArtifactFailed',
    'ClientAttached',
    'ClientDetached',
    'ConsoleMessage',
    'Dialog',
    'Download',
    'EntriesDropped',
    'EventSourceMessages',
    'ExceptionHandled',
    'Issue',
    'Navigation',
    'NetworkRequest',
    'PageClosed',
    'PageCrashed',
    'PageOpened',
    'StatusChange',
    'TaskEnded',
    'TaskStep',
    'WebSocketClosed',
    'WebSocketMessages',
    'WebSocketOpened',
  ])
  const nodes = schema.getPossibleTypes(schema.getType('Node') as never).map(({ name }) => name)
  expect(nodes.toSorted()).toEqual([...entries, 'ApiKey', 'Artifact', 'Profile', 'Session', 'Task'].toSorted())
})

describe('global ids', () => {
  const uuid = '01939b5e-7c1a-7e2b-8d3f-0a1b2c3d4e5f'

  test('come back as they went', () => {
    expect(decodeGlobalId(encodeGlobalId('Session', uuid))).toEqual({ typename: 'Session', uuid, number: null })
    expect(decodeGlobalId(encodeGlobalId('Dialog', uuid, 17))).toEqual({ typename: 'Dialog', uuid, number: 17 })
  })

  test.each([
    ['', 'nothing'],
    ['hello', 'a word'],
    [uuid, 'a bare UUID'],
    [Buffer.from(`Session:${uuid}`).toString('base64url').toUpperCase(), 'another case'],
    [`${encodeGlobalId('Session', uuid)}=`, 'padding'],
    [` ${encodeGlobalId('Session', uuid)}`, 'a space before'],
    [Buffer.from(`Session:${uuid.toUpperCase()}`).toString('base64url'), 'an upper-case UUID'],
    [Buffer.from(`Dialog:${uuid}:017`).toString('base64url'), 'a number with a zero before'],
    [Buffer.from(`Dialog:${uuid}:0`).toString('base64url'), 'an entry before the first'],
    [Buffer.from(`Dialog:${uuid}:1:2`).toString('base64url'), 'one part too many'],
    ['x'.repeat(100_000), 'a long text'],
  ])('%s is none: %s', (id) => {
    expect(decodeGlobalId(id)).toBeNull()
  })
})

describe('examples', () => {
  const files = globSync('examples/*.graphql', { cwd: ROOT }).sort()

  test.each(files)('%s is valid, named and explained', (file) => {
    const text = readFileSync(join(ROOT, file), 'utf8')
    const document = parse(text)
    expect(validate(schema, document)).toEqual([])
    expect(text).toMatch(/^# \d+\. /)
    for (const definition of document.definitions) {
      expect(definition.kind).toBe(Kind.OPERATION_DEFINITION)
      expect('name' in definition && definition.name?.value).toBeTruthy()
    }
  })

  test('are valid as one document, as GraphiQL shows them', () => {
    const text = files.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n')
    expect(files.length).toBeGreaterThanOrEqual(6)
    expect(validate(schema, parse(text))).toEqual([])
  })
})
