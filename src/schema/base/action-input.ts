import { ACTION_INPUT } from '../../contract/actions/list.ts'
import { TARGET } from '../../contract/actions/target.ts'
import { inputTypeOf } from './input-type.ts'

export const ActionInput = inputTypeOf(ACTION_INPUT)
export const TargetInput = inputTypeOf(TARGET)
