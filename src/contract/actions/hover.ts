import { defineAction } from './action-kind.ts'
import { target, timeoutMs } from './target.ts'

export const hover = defineAction('HOVER', 'TargetedInput', 'Moves the mouse over an element.', { target, timeoutMs })
