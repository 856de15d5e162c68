/** What a Content-Type header says. */
export interface MediaType {
  /** Type and subtype, in lower case; empty: unknown. */
  essence: string
  /** In lower case; null: not told. */
  charset: string | null
}

const TEXTUAL_APPLICATIONS: ReadonlySet<string> = new Set(
  [
    'json',
    'xml',
    'x-www-form-urlencoded',
    'javascript',
    'x-javascript',
    'ecmascript',
    'graphql',
    'sql',
    'yaml',
    'x-yaml',
  ]
    .concat(['toml', 'x-sh', 'x-httpd-php', 'x-ndjson', 'ndjson', 'jsonl', 'jsonlines', 'x-jsonlines', 'json-seq'])
    .concat(['csp-report', 'reports+json', 'json5', 'x-json', 'xml-dtd', 'x-amz-json-1.0', 'x-amz-json-1.1', 'jwt'])
    .map((name) => `application/${name}`),
)

/** `found`: the type that the browser took it for, which counts where there is no header. */
export function mediaTypeOf(contentType: string | null, found = ''): MediaType {
  // Of several headers of one name, the first.
  const [told = ''] = (contentType ?? '').split(/[\n,]/, 1)
  const [essence = ''] = told.split(';', 1)
  const [, quoted, plain] = /;\s*charset\s*=\s*(?:"([^"]*)"|([^\s;]+))/i.exec(told) ?? []
  return {
    essence: (essence.trim() || found).toLowerCase(),
    charset: (quoted ?? plain)?.trim().toLowerCase() ?? null,
  }
}

/** Whether a body of the type is text, as far as its name tells. Forms count: what is in them is what somebody typed. */
export function isTextual({ essence }: MediaType): boolean {
  return (
    essence.startsWith('text/') ||
    /\+(?:json|xml|yaml|json-seq)$/.test(essence) ||
    essence === 'multipart/form-data' ||
    TEXTUAL_APPLICATIONS.has(essence)
  )
}

/** Whether the type says nothing of what is in the body. */
export const isUnknown = ({ essence }: MediaType): boolean => essence === '' || !essence.includes('/')

/** The header of this name in any spelling; null: there is none. */
export function headerOf(headers: Readonly<Record<string, string>>, name: string): string | null {
  for (const [key, value] of Object.entries(headers)) if (key.toLowerCase() === name) return String(value)
  return null
}

/** Bytes that a header promises; null: it does not. */
export function contentLengthOf(headers: Readonly<Record<string, string>>): number | null {
  const value = headerOf(headers, 'content-length')
  return value !== null && /^\d{1,15}$/.test(value) ? Number(value) : null
}
