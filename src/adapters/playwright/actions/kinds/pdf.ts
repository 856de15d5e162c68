import type { ActionValues } from '../../../../contract/actions/list.ts'
import { BrowserGone, PageCrashed, TargetGone } from '../../cdp/protocol/target-gone.ts'
import { ActionFailure } from '../site/action-failure.ts'
import type { ActionHandler, ActionSite } from '../site/action-site.ts'
import { madeFileName } from './made-file-name.ts'

/** Width and height in inches. */
const PAPER = {
  A3: [11.7, 16.54],
  A4: [8.27, 11.7],
  A5: [5.83, 8.27],
  LETTER: [8.5, 11],
  LEGAL: [8.5, 14],
  TABLOID: [11, 17],
} as const

const MIB = 1024 * 1024
/** Of a PDF, which is in memory until it is stored. A page can make one of any size. */
const MAX_BYTES = 128 * MIB
/** Bytes that are read at once: a message of the browser has a limit. */
const PIECE_BYTES = 2 * MIB

const NO_MARGIN = { marginTop: 0, marginBottom: 0, marginLeft: 0, marginRight: 0 }

export const pdf: ActionHandler<ActionValues<'pdf'>> = async (site, input) => {
  const { format, landscape, printBackground, scale, pageRanges } = input
  site.details.note({ format, landscape, ...(pageRanges === null ? {} : { pageRanges }) })
  const [paperWidth, paperHeight] = PAPER[format]
  const { stream } = await site.sendCommand('Page.printToPDF', {
    // Playwright reads all of it into memory, and reports only "Read failed" where the browser had no room for it.
    transferMode: 'ReturnAsStream',
    landscape,
    printBackground,
    scale,
    paperWidth,
    paperHeight,
    ...NO_MARGIN,
    pageRanges: pageRanges ?? '',
  })
  if (stream === undefined) throw new Error('the browser has printed nothing')
  try {
    const bytes = await readWhole(site, stream)
    return { file: { kind: 'PDF', name: madeFileName('page', 'pdf'), contentType: 'application/pdf', bytes } }
  } finally {
    // The browser keeps the file until then. A page that is gone has none.
    site.sendCommand('IO.close', { handle: stream }).catch(() => undefined)
  }
}

/** The browser writes what it prints to its temporary folder, and fails to read it where it could not be written. */
async function readWhole(site: ActionSite, handle: string): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for (;;) {
    site.signal.throwIfAborted()
    const { data, base64Encoded, eof } = await site.sendCommand('IO.read', { handle, size: PIECE_BYTES }).catch(refuse)
    const piece = Buffer.from(data, base64Encoded === true ? 'base64' : 'utf8')
    size += piece.length
    if (size > MAX_BYTES) {
      const most = `${MAX_BYTES / MIB} MiB`
      throw new ActionFailure('NOT_ACTIONABLE', `The PDF has more than ${most}: print fewer pages (pageRanges).`)
    }
    pieces.push(piece)
    if (eof) return Buffer.concat(pieces)
  }
}

function refuse(error: unknown): never {
  if (error instanceof TargetGone || error instanceof BrowserGone || error instanceof PageCrashed) throw error
  throw new ActionFailure('STORAGE_FULL', 'The browser had no room for the PDF in the temporary folder.')
}
