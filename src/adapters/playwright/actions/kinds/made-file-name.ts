/** Name of a file that a step makes. Sorted by name, they are sorted by time. */
export function madeFileName(what: string, extension: string): string {
  return `${what}-${new Date().toISOString().replace(/[:.]/g, '-').replace('Z', '')}.${extension}`
}
