export const SCOPES = ['READ', 'WRITE', 'CONNECT', 'KEYS', 'ADMIN'] as const
export type Scope = (typeof SCOPES)[number]
