/**
 * Rewrites a link to the origin of this page: the server uses its public name, the page may have been opened under
 * another, and its policy allows only files of its own origin. `folder`: start of the link's path, such as
 * /artifacts/.
 */
export function ownUrl(url: string, folder: string): string {
  const start = url.lastIndexOf(folder)
  return start === -1 ? url : new URL(url.slice(start + 1), document.baseURI).href
}

/** The same for a link to the trace viewer, which names the trace that it opens. */
export function ownViewerUrl(viewerUrl: string): string {
  const url = new URL(ownUrl(viewerUrl, '/trace/'))
  const trace = url.searchParams.get('trace')
  if (trace !== null) url.searchParams.set('trace', ownUrl(trace, '/artifacts/'))
  return url.href
}
