import { EGRESS_MODE } from '../../domain/sessions/input/egress-input.ts'
import { enumTypeOf } from '../base/input-type.ts'

export const EgressModeEnum = enumTypeOf(EGRESS_MODE)
