import type { ResultOf } from 'gql.tada'
import { dateTime } from '../base/format.ts'
import type { CookieFacts } from '../api/log-operations.ts'
import { messages } from '../base/messages.ts'
import { Facts } from '../parts/details-pane.tsx'

type Cookie = ResultOf<typeof CookieFacts>

/** Cookies of a request or response, each with its details. Nothing if there are none. */
export function RequestCookies(props: { title: string; cookies: readonly Cookie[] | null }) {
  if (props.cookies === null || props.cookies.length === 0) return null
  return (
    <>
      <h3>{props.title}</h3>
      <Facts
        facts={props.cookies.map((cookie) => {
          const { blockedReasons, exemptionReason } = cookie
          return [
            cookie.name,
            <>
              {cookie.value} <span className="faint">{attributesOf(cookie)}</span>
              {blockedReasons.length > 0 && (
                <span className="error"> {messages.network.cookieBlocked(blockedReasons.join(', '))}</span>
              )}
              {exemptionReason !== null && (
                <span className="faint"> {messages.network.cookieExempted(exemptionReason)}</span>
              )}
            </>,
          ] as const
        })}
      />
    </>
  )
}

function attributesOf(cookie: Cookie): string {
  return [
    cookie.domain === null ? null : `${cookie.domain}${cookie.path ?? ''}`,
    cookie.httpOnly ? 'HttpOnly' : null,
    cookie.secure ? 'Secure' : null,
    cookie.sameSite === null ? null : `SameSite=${cookie.sameSite.toLowerCase()}`,
    cookie.expiresAt === null ? null : messages.network.expires(dateTime(cookie.expiresAt)),
  ]
    .filter((part) => part !== null)
    .join('; ')
}
