import { CombinedError } from 'urql'
import { FollowLogError } from '../../../src/client/follow-log.ts'
import { messages } from '../base/messages.ts'

/** A rule broken by form input, as listed by BAD_USER_INPUT. */
export interface Issue {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** Error message with a remedy, in a sentence or two. */
export function sentenceFor(error: CombinedError): string {
  const [first] = error.graphQLErrors
  if (!first) return messages.problems.noAnswer
  const wayOut = messages.problems.wayOut[codeOf(error) ?? '']
  const sentence = /[.!?]$/.test(first.message) ? first.message : `${first.message}.`
  return wayOut ? `${sentence} ${wayOut}` : sentence
}

/** Why a log cannot be followed, permanently or for now. */
export function sentenceForFailure(failure: unknown): string {
  const graphQLErrors = failure instanceof FollowLogError ? [...failure.errors] : []
  return sentenceFor(new CombinedError({ graphQLErrors, networkError: new Error('the connection broke') }))
}

/** The rules broken by the input; empty for other errors. */
export function issuesOf(error: CombinedError): readonly Issue[] {
  const issues = error.graphQLErrors[0]?.extensions['issues']
  return Array.isArray(issues) ? (issues as Issue[]) : []
}

export function codeOf(error: CombinedError): string | null {
  const code = error.graphQLErrors[0]?.extensions['code']
  return typeof code === 'string' ? code : null
}
