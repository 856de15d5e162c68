import { defineAction, likeAction } from './action-kind.ts'
import { waitUntil } from './navigate.ts'
import { timeoutMs } from './target.ts'

export const back = defineAction(
  'BACK',
  'HistoryInput',
  'Goes back in the history of the page; where there is nothing to go back to, NAVIGATION_FAILED.',
  { waitUntil, timeoutMs },
)

export const forward = likeAction(
  'FORWARD',
  back,
  'Goes forward in the history of the page; where there is nothing to go forward to, NAVIGATION_FAILED.',
)

export const reload = likeAction('RELOAD', back, 'Reloads the page.')
