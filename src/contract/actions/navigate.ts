import { defineAction } from './action-kind.ts'
import { field, type EnumDefinition } from '../input/input-field.ts'
import { timeoutMs } from './target.ts'

export const LOAD_STATE: EnumDefinition<'COMMIT' | 'DOM_CONTENT_LOADED' | 'LOAD' | 'NETWORK_IDLE'> = {
  enumName: 'LoadState',
  description: 'Load state of a page.',
  values: {
    COMMIT: 'The response has begun to arrive and the document has been created.',
    DOM_CONTENT_LOADED: 'The document has been read.',
    LOAD: 'The document and its resources have been loaded.',
    NETWORK_IDLE: 'No request for 500 ms.',
  },
}

export const waitUntil = field.choiceOr('Condition to wait for.', LOAD_STATE, 'LOAD')

export const navigate = defineAction('NAVIGATE', 'NavigateInput', 'Opens a URL in the page.', {
  url: field.requiredText(
    'An http:// or https:// URL, or about:blank. Other schemes, the addresses of cloud metadata services, and hosts that the session cannot reach fail with BLOCKED.',
    { max: 8000 },
  ),
  waitUntil,
  timeoutMs,
})
