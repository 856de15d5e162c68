/** Close codes of a client's connection, beyond the protocol's own: 4000 to 4999 are for applications. */
export const CDP_CLOSE = { sessionEnded: 4001, linkEnded: 4403, tooSlow: 4008, tooMuchHeld: 4009 } as const
