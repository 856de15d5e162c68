/** What a link of Session.access carries behind #: a session, and leave to look at it without a key. */
export interface LiveLink {
  session: string
  token: string
  /** Whether mouse and keyboard may be taken over; the server asks again. */
  canTakeOver: boolean
}

/** Null: the page was not opened by such a link. It stays in the address, so that a reload shows the same. */
export function liveLinkOf(hash: string): LiveLink | null {
  const given = new URLSearchParams(hash.slice(1))
  const session = given.get('live')
  const token = given.get('token')
  return session === null || token === null ? null : { session, token, canTakeOver: token.includes('_rw_') }
}
