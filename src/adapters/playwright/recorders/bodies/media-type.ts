/** A parsed Content-Type header. */
export interface MediaType {
  /** Type and subtype, in lower case; empty: unknown. */
  essence: string
  /** In lower case; null: not declared. */
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

/** `found`: the type detected by the browser, which applies if there is no header. */
export function mediaTypeOf(contentType: string | null, found = ''): MediaType {
  // The first of several headers with this name.
  const [reported = ''] = (contentType ?? '').split(/[\n,]/, 1)
  const [essence = ''] = reported.split(';', 1)
  const [, quoted, plain] = /;\s*charset\s*=\s*(?:"([^"]*)"|([^\s;]+))/i.exec(reported) ?? []
  return {
    essence: (essence.trim() || found).toLowerCase(),
    charset: (quoted ?? plain)?.trim().toLowerCase() ?? null,
  }
}

/** Whether a body of the type is text, by the name of the type. This includes forms, whose contents were typed. */
export function isTextual({ essence }: MediaType): boolean {
  return (
    essence.startsWith('text/') ||
    /\+(?:json|xml|yaml|json-seq)$/.test(essence) ||
    essence === 'multipart/form-data' ||
    TEXTUAL_APPLICATIONS.has(essence)
  )
}

/** Whether the type says nothing about the contents. */
export const isUnknown = ({ essence }: MediaType): boolean => essence === '' || !essence.includes('/')

/** The header with this name, case-insensitive; null: there is none. */
export function headerOf(headers: Readonly<Record<string, string>>, name: string): string | null {
  for (const [key, value] of Object.entries(headers)) if (key.toLowerCase() === name) return String(value)
  return null
}

/** Bytes declared by the header; null: there is no valid one. */
export function contentLengthOf(headers: Readonly<Record<string, string>>): number | null {
  const value = headerOf(headers, 'content-length')
  return value !== null && /^\d{1,15}$/.test(value) ? Number(value) : null
}
