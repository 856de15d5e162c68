/** Parsed fragment of a link from Session.access: a session, and permission to view it without a key. */
export interface LiveLink {
  session: string
  token: string
  /** Whether the link permits control of mouse and keyboard; the server checks it as well. */
  canTakeOver: boolean
}

/** Null if the page was not opened by such a link. The fragment stays in the URL, so that a reload shows the same. */
export function liveLinkOf(hash: string): LiveLink | null {
  const given = new URLSearchParams(hash.slice(1))
  const session = given.get('live')
  const token = given.get('token')
  return session === null || token === null ? null : { session, token, canTakeOver: token.includes('_rw_') }
}
