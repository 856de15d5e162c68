interface Connection {
  send(method: 'Runtime.getHeapUsage', params: Record<string, never>, sessionId: string): Promise<unknown>
}

/** Resolves once a worker has processed the commands sent to it on this session, or the session is gone. Never rejects. */
export async function whenProcessed(connection: Connection, sessionId: string): Promise<void> {
  // A worker responds in the order of its commands; this one has no side effects.
  await connection.send('Runtime.getHeapUsage', {}, sessionId).catch(() => undefined)
}
