import { LoopbackHandle } from '../support/handle-loopback/loopback-handle.ts'
import { describeSessionHandle } from './session-handle.contract.ts'

describeSessionHandle((handle) => new LoopbackHandle(handle))
