import { ACTION_LIMITS, type ActionStep } from '../../ports/browser/action.ts'
import { ACTION_INPUT } from '../../contract/actions/list.ts'
import { BadUserInput, type InputIssue } from '../kernel/errors.ts'
import { inputIssues } from '../kernel/input-issues.ts'

/** Steps from a client, checked: the valid steps, and every broken rule with its path. */
export function readSteps(given: readonly unknown[]): { steps: (ActionStep | null)[]; issues: InputIssue[] } {
  const most = ACTION_LIMITS.stepsPerRequest
  if (given.length === 0) throw badCount('TOO_SHORT', 'must have at least one step')
  if (given.length > most) throw badCount('TOO_LONG', `must have at most ${most} steps; it has ${given.length}`)
  const issues: InputIssue[] = []
  const steps = given.map((input, index) => {
    const parsed = ACTION_INPUT.rule.safeParse(input)
    if (parsed.success) return stepOf(parsed.data)
    issues.push(...inputIssues(parsed.error, ['actions', index]))
    return null
  })
  return { steps, issues }
}

const badCount = (code: string, message: string) => new BadUserInput([{ path: ['actions'], code, message }])

function stepOf(members: Readonly<Record<string, unknown>>): ActionStep {
  // Its rule has checked that exactly one member is given.
  const [name, input] = Object.entries(members).find(([, member]) => member !== null)!
  return { name, input } as ActionStep
}
