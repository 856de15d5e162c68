/** The server or a command cannot start, for a reason that users can fix. The message is one line for them. */
export class StartupFailed extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}
