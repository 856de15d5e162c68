import { builder } from './base/builder.ts'
import { NEEDS } from './base/needs.ts'

const Capacity = builder
  .objectRef<{ total: number; live: number; queued: number; warm: number }>('Capacity')
  .implement({
    authScopes: NEEDS.read,
    description: 'The slots of the whole installation, of every owner.',
    fields: (t) => ({
      total: t.exposeInt('total', {
        description: 'Sessions that can be live at once; free slots of servers that drain are not counted.',
      }),
      live: t.exposeInt('live', { description: 'Slots taken now.' }),
      queued: t.exposeInt('queued', {
        description: 'Sessions that wait for a slot, as CREATING; of several machines, for one of any machine.',
      }),
      warm: t.exposeInt('warm', { description: 'Browsers that run and wait for a session.' }),
    }),
  })

builder.queryField('capacity', (t) =>
  t.field({
    type: Capacity,
    authScopes: NEEDS.read,
    description: 'Slots of the whole installation.',
    resolve: (_, __, context) => {
      context.require('READ')
      return context.sessions.capacity()
    },
  }),
)
