import { TEXT_LIMITS, type DialogType } from '../../ports/log/log-entry.ts'
import { builder } from '../base/builder.ts'
import { describedValues } from '../base/enum-values.ts'
import { entryType } from '../sessions/session-event.ts'

const DialogTypeEnum = builder.enumType('DialogType', {
  description: 'Type of a dialog.',
  values: describedValues<DialogType>({
    ALERT: 'alert()',
    CONFIRM: 'confirm()',
    PROMPT: 'prompt()',
    BEFORE_UNLOAD: 'The question whether to leave the page.',
  }),
})

const Dialog = entryType(
  'DIALOG',
  'A page opened a dialog, and it was answered: by the action dialog, by a client, or by a timeout, which dismisses it; leaving a page is accepted.',
)

builder.objectFields(Dialog, (t) => ({
  dialogType: t.field({
    type: DialogTypeEnum,
    description: 'Kind of the dialog.',
    resolve: ({ entry }) => entry.data.type,
  }),
  message: t.string({
    description: `Its text, cut at ${TEXT_LIMITS.dialogMessage} UTF-16 code units.`,
    resolve: ({ entry }) => entry.data.message,
  }),
  defaultValue: t.string({
    nullable: true,
    description: 'Default value of prompt(). Null for other types.',
    resolve: ({ entry }) => entry.data.defaultValue,
  }),
  pageId: t.id({
    nullable: true,
    description: 'The page, as in Session.pages. Null when it is not known.',
    resolve: ({ entry }) => entry.data.pageId,
  }),
  pageUrl: t.string({
    nullable: true,
    description: 'URL of the page when the dialog opened. Null when it is not known.',
    resolve: ({ entry }) => entry.data.url,
  }),
  accepted: t.boolean({
    description: 'True: it was answered with OK. False: it was dismissed.',
    resolve: ({ entry }) => entry.data.accepted,
  }),
}))
