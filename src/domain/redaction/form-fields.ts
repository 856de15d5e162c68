import { MASK } from './mask.ts'

/** Masks the values of these fields, in lower case, of a query string or a form in the same encoding. */
export function maskFormFields(text: string, names: ReadonlySet<string>): string {
  if (names.size === 0 || !text.includes('=')) return text
  return text
    .split('&')
    .map((pair) => {
      const equals = pair.indexOf('=')
      return equals >= 0 && names.has(fieldName(pair.slice(0, equals))) ? `${pair.slice(0, equals)}=${MASK}` : pair
    })
    .join('&')
}

function fieldName(encoded: string): string {
  if (encoded.length > 1000) return ''
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' ')).toLowerCase()
  } catch {
    return encoded.toLowerCase()
  }
}

const BOUNDARY = /;\s*boundary=(?:"([^"]{1,100})"|([^;\s]{1,100}))/i

/** The same for a multipart form. Bytes may be decoded as Latin-1. */
export function maskMultipartFields(text: string, contentType: string, names: ReadonlySet<string>): string {
  const [, quoted, plain] = BOUNDARY.exec(contentType) ?? []
  const boundary = quoted ?? plain
  if (boundary === undefined || names.size === 0) return text
  return text
    .split(`--${boundary}`)
    .map((part) => {
      const head = part.indexOf('\r\n\r\n')
      if (head < 0) return part
      const name = /;\s*name="([^"\r\n]{0,1000})"/i.exec(part.slice(0, Math.min(head, 4_000)))?.[1]
      if (name === undefined || !names.has(name.toLowerCase())) return part
      return `${part.slice(0, head)}\r\n\r\n${MASK}${part.endsWith('\r\n') ? '\r\n' : ''}`
    })
    .join(`--${boundary}`)
}
