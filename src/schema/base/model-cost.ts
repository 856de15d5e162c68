import type { Cost as ModelCost } from '../../ports/tasks/task.ts'
import { builder } from './builder.ts'
import { NEEDS } from './needs.ts'

export const Cost = builder.objectRef<ModelCost>('Cost').implement({
  authScopes: NEEDS.asItsField,
  description: 'Model cost of a step, a task, or all tasks of a session.',
  fields: (t) => ({
    inputTokens: t.field({
      type: 'SafeInt',
      description: 'Input tokens as counted by the vendor of the model, including cached ones.',
      resolve: ({ inputTokens }) => inputTokens,
    }),
    outputTokens: t.field({
      type: 'SafeInt',
      description: 'Output and reasoning tokens as counted by the vendor of the model.',
      resolve: ({ outputTokens }) => outputTokens,
    }),
    usd: t.float({
      nullable: true,
      description:
        'US dollars, by the price list of the server (TABWIRE_AI_PRICES), without discounts for cached tokens. Null if a model without a known price was used, or if its vendor reported no tokens.',
      resolve: ({ usd }) => usd,
    }),
  }),
})
