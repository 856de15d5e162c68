import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '../../logger.ts'
import { TEXT_LIMITS } from '../../ports/log-entry.ts'
import type { Recorder } from '../../ports/browser.ts'
import type { BrowserWire } from './browser-wire.ts'
import type { CdpEvents } from './cdp-events.ts'
import { cutText, cutUrl } from './cut-text.ts'
import type { Targets } from './targets.ts'

interface Download {
  begin: CdpEvents['Browser.downloadWillBegin']
  pageId: string | null
}

/** Downloads, each when it has ended. The file itself is not kept: its size is all that is told of it yet. */
export class DownloadRecorder {
  constructor(wire: BrowserWire, targets: Targets, recorder: Recorder, downloadsDir: string, logger: Logger) {
    const running = new Map<string, Download>()
    wire.on('Browser.downloadWillBegin', (begin) => {
      running.set(begin.guid, { begin, pageId: targets.pageOfFrame(begin.frameId)?.pageId ?? null })
    })
    wire.on('Browser.downloadProgress', ({ guid, state, receivedBytes }) => {
      const download = running.get(guid)
      if (!download || state === 'inProgress') return
      running.delete(guid)
      recorder.record({
        kind: 'DOWNLOAD',
        at: Date.now(),
        data: {
          url: cutUrl(download.begin.url),
          suggestedFilename: cutText(download.begin.suggestedFilename, TEXT_LIMITS.fileName),
          pageId: download.pageId,
          sizeBytes: state === 'completed' ? receivedBytes : null,
          failure: state === 'completed' ? null : 'canceled',
          artifactId: null,
          keepFailure: null,
        },
      })
      // Playwright names the files by their guid. Left to the end of the session, they would fill the disk.
      rm(join(downloadsDir, guid), { force: true }).catch((error: unknown) =>
        logger.warn({ err: error }, 'a downloaded file could not be removed'),
      )
    })
  }
}
