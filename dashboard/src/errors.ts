import { CombinedError } from 'urql'
import { FollowLogError } from '../../src/client/follow-log.ts'
import { messages } from './messages.ts'

/** A rule that the input of a form broke, as BAD_USER_INPUT lists them. */
export interface Issue {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** What went wrong and what can be done, in a sentence or two. */
export function sentenceFor(error: CombinedError): string {
  const [first] = error.graphQLErrors
  if (!first) return messages.problems.noAnswer
  const wayOut = messages.problems.wayOut[codeOf(error) ?? '']
  const sentence = /[.!?]$/.test(first.message) ? first.message : `${first.message}.`
  return wayOut ? `${sentence} ${wayOut}` : sentence
}

/** Why a log cannot be followed, or not at the moment. */
export function sentenceForFailure(failure: unknown): string {
  const graphQLErrors = failure instanceof FollowLogError ? [...failure.errors] : []
  return sentenceFor(new CombinedError({ graphQLErrors, networkError: new Error('the connection broke') }))
}

/** The rules that an input broke; none where it was not the input. */
export function issuesOf(error: CombinedError): readonly Issue[] {
  const issues = error.graphQLErrors[0]?.extensions['issues']
  return Array.isArray(issues) ? (issues as Issue[]) : []
}

export function codeOf(error: CombinedError): string | null {
  const code = error.graphQLErrors[0]?.extensions['code']
  return typeof code === 'string' ? code : null
}
