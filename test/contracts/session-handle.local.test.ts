import { describeSessionHandle } from './session-handle.contract.ts'

describeSessionHandle((handle) => handle)
