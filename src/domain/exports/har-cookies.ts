import type { Cookie } from 'har-format'

type Headers = Readonly<Record<string, string>>

/** Cookies sent with a request, parsed from its header. */
export function sentCookies(headers: Headers): Cookie[] {
  return valuesOf(headers['cookie'])
    .flatMap((value) => value.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '')
    .map(nameAndValue)
}

/** Cookies set by a response, parsed from its headers, one each. */
export function setCookies(headers: Headers): Cookie[] {
  return valuesOf(headers['set-cookie']).map((value) => {
    const [pair = '', ...attributes] = value.split(';').map((part) => part.trim())
    return Object.assign(nameAndValue(pair), ...attributes.map(attributeOf)) as Cookie
  })
}

function attributeOf(attribute: string): Partial<Cookie> & { sameSite?: string } {
  const { name, value } = nameAndValue(attribute)
  switch (name.toLowerCase()) {
    case 'path':
      return { path: value }
    case 'domain':
      return { domain: value }
    case 'httponly':
      return { httpOnly: true }
    case 'secure':
      return { secure: true }
    case 'samesite':
      return { sameSite: value }
    case 'expires':
      return expiresAt(Date.parse(value))
    default:
      return {}
  }
}

/** Invalid dates are omitted: HAR readers reject them. */
const expiresAt = (time: number): Partial<Cookie> =>
  Number.isNaN(time) ? {} : { expires: new Date(time).toISOString() }

function nameAndValue(pair: string): Cookie {
  const end = pair.indexOf('=')
  return end < 0 ? { name: pair, value: '' } : { name: pair.slice(0, end).trim(), value: pair.slice(end + 1).trim() }
}

/** The log joins several values of one name with line breaks. */
const valuesOf = (value: string | undefined) => value?.split('\n') ?? []
