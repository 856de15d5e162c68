import { TEXT_LIMITS, type DialogType } from '../../../../ports/log/log-entry.ts'
import type { EventSink } from '../../../../ports/browser/browser.ts'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'
import type { CdpEvents } from '../../cdp/protocol/cdp-events.ts'
import { cutText, cutUrl } from '../../cdp/protocol/cut-text.ts'
import type { TargetRegistry } from '../../cdp/targets/target-registry.ts'

type Opening = Pick<CdpEvents['Page.javascriptDialogOpening'], 'type' | 'url' | 'message' | 'defaultPrompt'>

const DIALOG_TYPES: Readonly<Record<Opening['type'], DialogType>> = {
  alert: 'ALERT',
  confirm: 'CONFIRM',
  prompt: 'PROMPT',
  beforeunload: 'BEFORE_UNLOAD',
}

/**
 * Dialogs and how they were closed, whether by a step (actions/dialogs.ts), its timer, or any other client of the
 * browser.
 */
export class DialogRecorder {
  constructor(connection: CdpConnection, targets: TargetRegistry, recorder: EventSink) {
    const open = new Map<string, Opening>()
    connection.on('Page.javascriptDialogOpening', (event, sessionId) => {
      if (sessionId === undefined || !targets.source(sessionId)) return
      const { type, url, message, defaultPrompt = '' } = event
      const texts = [message, defaultPrompt].map((text) => cutText(text, TEXT_LIMITS.dialogMessage))
      open.set(sessionId, { type, url: cutUrl(url), message: texts[0]!, defaultPrompt: texts[1]! })
    })
    connection.on('Target.detachedFromTarget', ({ sessionId }) => open.delete(sessionId))
    connection.on('Page.javascriptDialogClosed', ({ result }, sessionId) => {
      const event = sessionId === undefined ? undefined : open.get(sessionId)
      if (!event) return
      open.delete(sessionId!)
      recorder.record({
        kind: 'DIALOG',
        at: Date.now(),
        data: {
          type: DIALOG_TYPES[event.type],
          message: event.message,
          defaultValue: event.type === 'prompt' ? (event.defaultPrompt ?? '') : null,
          pageId: targets.source(sessionId)?.page?.pageId ?? null,
          url: event.url,
          accepted: result,
        },
      })
    })
  }
}
