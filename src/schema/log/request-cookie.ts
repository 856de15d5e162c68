import { TEXT_LIMITS, type RequestCookie, type SameSiteMode } from '../../ports/log/log-entry.ts'
import { builder } from '../base/builder.ts'
import { describedValues } from '../base/enum-values.ts'
import { NEEDS } from '../base/needs.ts'

const SameSiteModeEnum = builder.enumType('SameSiteMode', {
  description: 'The SameSite attribute of a cookie.',
  values: describedValues<SameSiteMode>({
    STRICT: 'Sent only with requests from its own site.',
    LAX: 'Sent with requests from its own site, and with top-level navigations to it.',
    NONE: 'With requests of every site.',
  }),
})

export const RequestCookieType = builder.objectRef<RequestCookie>('RequestCookie').implement({
  authScopes: NEEDS.read,
  description: 'A cookie of a request or response, blocked ones included.',
  fields: (t) => ({
    name: t.exposeString('name', { description: `Name, cut at ${TEXT_LIMITS.cookieName} UTF-16 code units.` }),
    value: t.exposeString('value', { description: `Value, cut at ${TEXT_LIMITS.cookieValue} UTF-16 code units.` }),
    domain: t.exposeString('domain', {
      nullable: true,
      description: 'Domain that it is sent to. Null in a Set-Cookie header that names none.',
    }),
    path: t.exposeString('path', {
      nullable: true,
      description: 'Path that it is sent to. Null in a Set-Cookie header that names none.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Expiration time. Null for a cookie that expires with the browser.',
    }),
    httpOnly: t.exposeBoolean('httpOnly', { description: 'True when scripts cannot read it.' }),
    secure: t.exposeBoolean('secure', { description: 'True when it is sent over secure connections only.' }),
    sameSite: t.expose('sameSite', {
      type: SameSiteModeEnum,
      nullable: true,
      description: 'SameSite attribute. Null when it has none: the browser treats it as LAX.',
    }),
    blockedReasons: t.exposeStringList('blockedReasons', {
      description:
        'Why it was not sent or not stored, in the browser’s words, such as SameSiteNoneInsecure. Empty when it was.',
    }),
    exemptionReason: t.exposeString('exemptionReason', {
      nullable: true,
      description: 'Why it was not blocked although third-party cookies are, in the browser’s words. Null otherwise.',
    }),
  }),
})
