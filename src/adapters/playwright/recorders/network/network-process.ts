import { Deadline } from '../../../../async/deadline.ts'
import { SharedQuestion } from '../../../../async/shared-question.ts'
import type { CdpConnection } from '../../cdp/connection/cdp-connection.ts'

/** Where no cookie is from. */
const NOWHERE = 'http://nowhere.invalid/'
/** A network process that takes longer is gone, or hangs. */
const ANSWER_MS = 5_000

/** The process of the browser that reports headers and cookies, apart from the page and later on a busy machine. */
export class NetworkProcess {
  readonly #answer: SharedQuestion
  #sessionId = ''

  constructor(connection: Pick<CdpConnection, 'send'>) {
    this.#answer = new SharedQuestion(async () => {
      // It keeps the cookies, and answers after what it has reported before.
      const answered = connection.send('Network.getCookies', { urls: [NOWHERE] }, this.#sessionId)
      await Deadline.isMet(
        answered.catch(() => undefined),
        ANSWER_MS,
      )
    })
  }

  /** Resolves once all that it had reported before this call was read, within a bound. Never rejects. */
  heard(sessionId: string): Promise<void> {
    this.#sessionId = sessionId
    return this.#answer.ask()
  }
}
