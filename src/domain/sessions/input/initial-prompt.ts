import { refusePageAddress } from '../../kernel/navigation-policy.ts'

/** What `initialPrompt` asks for: a page, or a task for the model. */
export type InitialPrompt = { kind: 'URL'; url: string } | { kind: 'TASK'; prompt: string }

/** The rule in words, for the schema. */
export const INITIAL_PROMPT_RULE =
  'What begins with a scheme (https://…, also file:…, javascript:… and others, which are refused) is a URL; so is a host with a dot, "localhost", an IP address or a name with a port, with or without a path, such as example.com/path or localhost:3000; what has a space in it, and everything else, is a task. A URL without a scheme gets https://, or http:// where the host is localhost, an IP address or a name without a dot.'

/** Schemes without "//" after them. Each of these is a URL, though a rejected one: never a task. */
const BARE_SCHEMES =
  /^(?:javascript|vbscript):|^(?:about|blob|chrome|chrome-extension|data|devtools|file|filesystem|ftp|http|https|intent|jar|mailto|sms|tel|urn|view-source|ws|wss):\S/i

/** Not a port and the rest of a URL: that would be `name:3000`. */
const ANY_SCHEME = /^[a-z][a-z0-9+.-]*:(?!\d{1,5}(?:[/?#]|$))/i

/**
 * Host, port, and the rest. Labels in any script, but the last in ASCII: sentences of some languages have no spaces.
 */
const HOST =
  /^(?:(?<ip4>\d{1,3}(?:\.\d{1,3}){3})|(?<ip6>\[[0-9a-f:.]+\])|(?<name>[\p{L}\p{N}_.-]+))(?<port>:\d{1,5})?(?:[/?#].*)?$/iu
const LABEL = /^[\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}_-]{0,61}[\p{L}\p{M}\p{N}])?$/u
const TOP_LEVEL = /^(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})$/i

/**
 * A URL is a URL, everything else is a task: INITIAL_PROMPT_RULE, whose table is test/domain/initial-prompt.test.ts.
 */
export function readInitialPrompt(text: string): InitialPrompt {
  const given = text.trim()
  const isOneWord = !/\s/.test(given)
  // A script may contain spaces; in any case it is not a task.
  if (BARE_SCHEMES.test(given) && (isOneWord || !/^https?:/i.test(given))) return { kind: 'URL', url: given }
  if (!isOneWord) return { kind: 'TASK', prompt: given }
  if (given.startsWith('//')) return { kind: 'URL', url: `https:${given}` }
  if (ANY_SCHEME.test(given)) return { kind: 'URL', url: given }
  const scheme = schemeForHost(given)
  return scheme === null ? { kind: 'TASK', prompt: given } : { kind: 'URL', url: `${scheme}://${given}` }
}

/** Why an initial prompt is rejected; null: it is a task, or a URL that may be opened. */
export function refuseInitialPrompt(text: string): string | null {
  const read = readInitialPrompt(text)
  return read.kind === 'URL' ? refusePageAddress(read.url) : null
}

/** The URL of a host without a scheme; null: it is not a host. */
function schemeForHost(given: string): 'http' | 'https' | null {
  const { ip4, ip6, name, port } = HOST.exec(given)?.groups ?? {}
  if (ip4 || ip6) return URL.canParse(`http://${ip4 ?? ip6}`) ? 'http' : null
  if (!name) return null
  const labels = name.replace(/\.$/, '').split('.')
  if (!labels.every((label) => LABEL.test(label))) return null
  const last = labels.at(-1)!
  if (last.toLowerCase() === 'localhost') return 'http'
  if (labels.length === 1) return port && /^[\w-]+$/.test(name) ? 'http' : null
  return TOP_LEVEL.test(last) ? 'https' : null
}
