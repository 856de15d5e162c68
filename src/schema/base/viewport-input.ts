import { SESSION_INPUT_RULES } from '../../domain/sessions/session-rules.ts'
import { builder } from './builder.ts'

export const ViewportInput = builder.inputType('ViewportInput', {
  description: `The size of the part of a page that can be seen. ${SESSION_INPUT_RULES.viewport}`,
  fields: (t) => ({
    width: t.int({ required: true, description: 'CSS pixels.' }),
    height: t.int({ required: true, description: 'CSS pixels.' }),
  }),
})
