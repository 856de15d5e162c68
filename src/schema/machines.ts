import type { MachineRecord } from '../ports/machines/machine-store.ts'
import { MAX_DRAIN_SECONDS } from '../domain/machines/drain.ts'
import { builder } from './base/builder.ts'
import { COST } from './base/complexity.ts'
import { NEEDS } from './base/needs.ts'

const Machine = builder.objectRef<MachineRecord>('Machine').implement({
  authScopes: NEEDS.admin,
  description: 'A server of the installation. All times are those of the database.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'The id that Session.machineId has.' }),
    address: t.exposeString('address', {
      nullable: true,
      description:
        'Its internal URL; where there is no NATS, host and port that it listens on. Null: it listens on a loopback address only, or is starting.',
    }),
    version: t.exposeString('version', { description: 'Version of Tabwire.' }),
    slots: t.exposeInt('slots', { description: 'Sessions that can be live on it at once.' }),
    live: t.exposeInt('live', { description: 'Slots taken, as of the last heartbeat.' }),
    queued: t.exposeInt('queued', {
      description:
        'Sessions that wait for one of its slots, as of the last heartbeat. With NATS 0: they wait for a slot of any machine, see capacity.',
    }),
    warm: t.exposeInt('warm', {
      description: 'Browsers that run on it and wait for a session, as of the last heartbeat.',
    }),
    draining: t.exposeBoolean('draining', {
      description: 'True once it accepts no new sessions; it ends when those that it has are over.',
    }),
    alive: t.exposeBoolean('isAlive', {
      description: 'False once it has not renewed its lease in time: it has stopped, or cannot reach the database.',
    }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'Start time of the server.' }),
    heartbeatAt: t.expose('heartbeatAt', { type: 'DateTime', description: 'Time of its last heartbeat.' }),
    lostAt: t.expose('leftAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'When its lease was taken away; its sessions end as MACHINE_LOST. Null: it was not. Listed for an hour or so.',
    }),
  }),
})

builder.queryField('machines', (t) =>
  t.field({
    type: [Machine],
    authScopes: NEEDS.admin,
    description:
      'The servers of the installation, by start time; at most 200. Those that were shut down are not listed. Needs the scope ADMIN.',
    extensions: COST.machines,
    resolve: (_, __, context) => {
      context.require('ADMIN')
      return context.machines.list()
    },
  }),
)

builder.mutationField('drainMachine', (t) =>
  t.field({
    type: 'DateTime',
    authScopes: NEEDS.admin,
    description:
      'Drains the server that responds: it accepts no new sessions (SERVER_DRAINING, and GET /ready is 503), live ones continue, and when the last one has ended, or the time is over, it shuts down gracefully. Cannot be undone; of several drains the one that ends first counts. Returns when sessions that are still live are ended, by the clock of the server. Needs the scope ADMIN. Errors: BAD_USER_INPUT.',
    extensions: COST.change,
    args: {
      machineId: t.arg.id({
        required: true,
        description: 'Id of the server that responds. With another id the request fails, and nothing is drained.',
      }),
      seconds: t.arg.int({
        description: `Seconds that live sessions have to end, from 0 to ${MAX_DRAIN_SECONDS} (24 hours). Default: TABWIRE_DRAIN_SECONDS of the server; required where that is not set.`,
      }),
    },
    resolve: (_, { machineId, seconds }, context) => {
      context.require('ADMIN')
      return context.drain.request(machineId, seconds ?? null)
    },
  }),
)

builder.subscriptionField('machinesChanged', (t) =>
  t.field({
    type: [Machine],
    authScopes: NEEDS.admin,
    description:
      'All servers, as of the query machines, now and after each change; a heartbeat that changes nothing else is none. Stays open. Needs the scope ADMIN.',
    extensions: COST.machines,
    subscribe: (_, __, context) => {
      context.require('ADMIN')
      return context.machines.changes(context.signal)
    },
    resolve: (machines) => machines,
  }),
)
