/**
 * A bitmap of Chromium's has at most 2 GiB. Asked for more, its graphics process crashes: what is taken while it starts anew
 * fails as well, and after a few crashes the whole browser ends.
 */
export const MOST_PICTURE_PIXELS = 2 ** 29

/** Of a picture of all that can be seen. */
export const picturePixels = (viewport: { width: number; height: number }, deviceScaleFactor: number): number =>
  viewport.width * viewport.height * deviceScaleFactor ** 2
