import type { Viewport } from '../base/viewport.ts'

/** Options of a live view. */
export interface PictureOptions {
  /** Frames are scaled down to fit, keeping their aspect ratio, and never scaled up. Null: original size. */
  maxWidth: number | null
  maxHeight: number | null
  /** JPEG quality, from 1 to 100. */
  quality: number
  /** Max frames per second. */
  maxFps: number
}

/** A frame of the live view of a page. */
export interface PageFrame {
  at: number
  pageId: string
  /** In base64: browsers deliver it and clients receive it that way. */
  jpeg: string
  width: number
  height: number
  /** Size of the captured area in CSS pixels: the coordinates of input. */
  viewport: Viewport
  /** Frames skipped since the reader's last one, because it was too slow. */
  skipped: number
}

/** Live view of a page. `return()` ends it at once, even while a frame is awaited. */
export type PageFrames = AsyncIterableIterator<PageFrame, undefined>

/** The result of input: NOT_ANSWERED if the page or the browser did not process all of it in time. */
export type InputOutcome = 'TAKEN' | 'NOT_ANSWERED' | 'NO_PAGE'
