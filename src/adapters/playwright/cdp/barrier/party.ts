/** Who has sessions with the browser: the server itself, or one client. Told apart by identity. */
export type Party = object
