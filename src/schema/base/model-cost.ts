import type { Cost as ModelCost } from '../../ports/task.ts'
import { builder } from './builder.ts'
import { NEEDS } from './needs.ts'

export const Cost = builder.objectRef<ModelCost>('Cost').implement({
  authScopes: NEEDS.asItsField,
  description: 'Model cost of a step, a task, or all tasks of a session.',
  fields: (t) => ({
    inputTokens: t.field({
      type: 'SafeInt',
      description: 'Tokens that the model was told, as its vendor counts them; what the vendor had cached counts too.',
      resolve: ({ inputTokens }) => inputTokens,
    }),
    outputTokens: t.field({
      type: 'SafeInt',
      description: 'Tokens that the model said or thought, as its vendor counts them.',
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
