/**
 * A bitmap in Chromium has at most 2 GiB. Beyond that, its graphics process crashes: screenshots during its restart
 * fail as well, and after a few crashes the whole browser exits.
 */
export const MAX_PICTURE_PIXELS = 2 ** 29

/** Pixels of a screenshot of the viewport. */
export const picturePixels = (viewport: { width: number; height: number }, deviceScaleFactor: number): number =>
  viewport.width * viewport.height * deviceScaleFactor ** 2
