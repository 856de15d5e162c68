import type { ResultOf } from 'gql.tada'
import type { WatchSession } from './operations.ts'

/** A session as of the latest event of its subscription. */
export type LiveSession = ResultOf<typeof WatchSession>['sessionChanged']
