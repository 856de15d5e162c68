/**
 * The server writes links as it is known to others; the page may have been opened by another of its names, and its policy
 * allows the files of its own origin alone. `folder`: where the path of the link begins, such as /artifacts/.
 */
export function ownUrl(url: string, folder: string): string {
  const start = url.lastIndexOf(folder)
  return start === -1 ? url : new URL(url.slice(start + 1), document.baseURI).href
}
