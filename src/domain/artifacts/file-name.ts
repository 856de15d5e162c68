const MAX_BYTES = 200

/** Including characters that disguise a name: bidirectional controls. */
const UNFIT = /[\p{Cc}\u{200e}\u{200f}\u{202a}-\u{202e}\u{2066}-\u{2069}\u{2028}\u{2029}]+/gu

/** A file name without a path that is valid on every system. Never empty. */
export function fileNameOf(text: string): string {
  const last =
    text
      .toWellFormed()
      .split(/[/\\]/)
      .findLast((part) => part.trim() !== '') ?? ''
  const clean = last
    .replace(UNFIT, '')
    .replace(/[<>:"|?*]/g, '_')
    .trim()
    .replace(/^\.+/, '')
    .replace(/[. ]+$/, '')
  return clean === '' ? 'file' : shortened(clean)
}

/** Most file systems have a limit of 255 bytes. The extension is kept, since it says how to open the file. */
function shortened(name: string): string {
  if (Buffer.byteLength(name) <= MAX_BYTES) return name
  const ending = /\.[\w-]{1,16}$/.exec(name)?.[0] ?? ''
  const space = MAX_BYTES - Buffer.byteLength(ending)
  let body = ''
  let size = 0
  for (const character of name.slice(0, name.length - ending.length)) {
    size += Buffer.byteLength(character)
    if (size > space) break
    body += character
  }
  return `${body.trimEnd()}${ending}`
}

const TOKEN = "[\\w!#$%&'*+.^`|~-]+"
const MEDIA_TYPE = new RegExp(
  `^${TOKEN}/${TOKEN}(\\s*;\\s*${TOKEN}=(${TOKEN}|"[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]*"))*$`,
)

/** Whether the text is a valid media type for a Content-Type header. */
export const isContentType = (text: string): boolean => text.length <= 200 && MEDIA_TYPE.test(text)
