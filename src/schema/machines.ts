import type { MachineRecord } from '../ports/machine-store.ts'
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
      description: 'Sessions that wait for one of its slots, as of the last heartbeat.',
    }),
    warm: t.exposeInt('warm', {
      description: 'Browsers that run on it and wait for a session, as of the last heartbeat.',
    }),
    draining: t.exposeBoolean('draining', { description: 'True while it shuts down.' }),
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
