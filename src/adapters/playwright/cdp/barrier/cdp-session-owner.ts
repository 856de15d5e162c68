/** An owner of CDP sessions: the server itself, or one client. Compared by identity. */
export type CdpSessionOwner = object
