import { memberField } from './action-kind.ts'
import { check } from './check.ts'
import { click } from './click.ts'
import { dialog } from './dialog.ts'
import { evaluate } from './evaluate.ts'
import { extract } from './extract.ts'
import { fill } from './fill.ts'
import { back, forward, reload } from './history.ts'
import { hover } from './hover.ts'
import { defineOneOf, type FieldValues } from '../input/input-field.ts'
import { navigate } from './navigate.ts'
import { closePage, openPage } from './pages.ts'
import { pdf } from './pdf.ts'
import { press } from './press.ts'
import { screenshot } from './screenshot.ts'
import { scroll } from './scroll.ts'
import { select } from './select.ts'
import { setViewport } from './set-viewport.ts'
import { type } from './type.ts'
import { upload } from './upload.ts'
import { wait } from './wait.ts'

/**
 * Every kind of action, under the name of its member in ActionInput. A new kind has a file of its own and a line here.
 */
export const ACTION_KINDS = {
  navigate,
  back,
  forward,
  reload,
  click,
  fill,
  type,
  press,
  hover,
  select,
  check,
  scroll,
  upload,
  wait,
  evaluate,
  extract,
  screenshot,
  pdf,
  openPage,
  closePage,
  setViewport,
  dialog,
} as const

type ActionKinds = typeof ACTION_KINDS
export type ActionName = keyof ActionKinds
export type ActionType = ActionKinds[ActionName]['type']
/** A kind's input, checked, with defaults filled in. */
export type ActionValues<N extends ActionName> = FieldValues<ActionKinds[N]['input']['fields']>

/** A step: its kind's name and its checked input. */
export type ActionStep<N extends ActionName = ActionName> = { [K in N]: { name: K; input: ActionValues<K> } }[N]

export const ACTION_INPUT = defineOneOf(
  'ActionInput',
  'One step: exactly one kind of action.',
  Object.fromEntries(Object.entries(ACTION_KINDS).map(([name, kind]) => [name, memberField(kind as never)])),
)
