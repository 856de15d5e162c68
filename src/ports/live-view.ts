import type { Viewport } from './viewport.ts'

/** How a reader wants to see a page. */
export interface PictureOptions {
  /** The picture is made smaller to fit, its shape kept, never larger. Null: as the page is. */
  maxWidth: number | null
  maxHeight: number | null
  /** Of the JPEG, from 1 to 100. */
  quality: number
  /** How many frames a second the reader wants at most. */
  maxFps: number
}

/** Frame of the live view of a page. */
export interface PageFrame {
  at: number
  pageId: string
  /** In base64: browsers give it so and clients take it so. */
  jpeg: string
  width: number
  height: number
  /** What the picture shows, in CSS pixels: the coordinates of input. */
  viewport: Viewport
  /** Frames that the reader was too slow for since its last one. */
  skipped: number
}

/** Live picture of a page. `return()` ends it at once, also while a frame is waited for. */
export type PageFrames = AsyncIterableIterator<PageFrame, undefined>

/** What became of input: NOT_ANSWERED when the page, or the browser, did not take all of it in time. */
export type InputOutcome = 'TAKEN' | 'NOT_ANSWERED' | 'NO_PAGE'
