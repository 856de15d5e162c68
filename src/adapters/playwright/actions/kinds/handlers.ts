import type { ActionName, ActionValues } from '../../../../contract/actions/list.ts'
import type { ActionHandler } from '../site/action-site.ts'
import { dialog } from './dialog.ts'
import { extract } from './extract.ts'
import { check, select, upload } from './form.ts'
import { fill, press, type } from './keyboard.ts'
import { back, forward, navigate, reload } from './navigation.ts'
import { closePage, openPage, setViewport } from './pages.ts'
import { pdf } from './pdf.ts'
import { screenshot } from './pictures.ts'
import { click, hover, scroll } from './pointer.ts'
import { evaluate } from './script.ts'
import { wait } from './wait.ts'

/** How each kind of action is done. */
export const HANDLERS: { readonly [N in ActionName]: ActionHandler<ActionValues<N>> } = {
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
}
