import type { ActionValues } from '../../../../contract/actions/list.ts'
import type { ActionHandler } from '../site/action-site.ts'
import { describeDialog } from '../site/dialogs.ts'

export const dialog: ActionHandler<ActionValues<'dialog'>> = async (site, { accept, promptText }) => {
  site.details.note({ accept, ...(promptText === null ? {} : { promptText }) })
  const answered = await site.dialogs.answer(site.page, { accept, promptText })
  if (!answered) site.details.note({ forTheNext: true })
  else {
    const { dialog: open, next } = answered
    site.details.note({ dialog: describeDialog(open), ...(next ? { next: describeDialog(next) } : {}) })
  }
  return {}
}
