const MOST_BYTES = 200

/** Also what makes a name look like another one: controls of the direction of writing. */
const UNFIT = /[\p{Cc}\u{200e}\u{200f}\u{202a}-\u{202e}\u{2066}-\u{2069}\u{2028}\u{2029}]+/gu

/** A name that is one file's and no path, wherever it is saved. Never empty. */
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

/** Most file systems take 255 bytes. The ending stays, for it says how to open the file. */
function shortened(name: string): string {
  if (Buffer.byteLength(name) <= MOST_BYTES) return name
  const ending = /\.[\w-]{1,16}$/.exec(name)?.[0] ?? ''
  const room = MOST_BYTES - Buffer.byteLength(ending)
  let body = ''
  let size = 0
  for (const character of name.slice(0, name.length - ending.length)) {
    size += Buffer.byteLength(character)
    if (size > room) break
    body += character
  }
  return `${body.trimEnd()}${ending}`
}

const TOKEN = "[\\w!#$%&'*+.^`|~-]+"
const MEDIA_TYPE = new RegExp(
  `^${TOKEN}/${TOKEN}(\\s*;\\s*${TOKEN}=(${TOKEN}|"[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]*"))*$`,
)

/** Whether the text is a media type as a Content-Type header may hold it. */
export const isContentType = (text: string): boolean => text.length <= 200 && MEDIA_TYPE.test(text)
