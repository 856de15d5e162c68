import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')

interface Import {
  specifier: string
  typeOnly: boolean
}

/** Every import of a module in any form: static, for side effects, re-exported, dynamic, type-only. */
export function importsOf(code: string): Import[] {
  const bare = code.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
  const forms = [
    /^\s*(?:import|export)\s+(type\s)?[^'";]*?\sfrom\s*(['"])(?<specifier>[^'"]+)\2/gm,
    /^\s*import\s*(['"])(?<specifier>[^'"]+)\1/gm,
    /\bimport\s*\(\s*(['"])(?<specifier>[^'"]+)\1/g,
    /\bnew URL\(\s*(['"`])(?<specifier>\.[^'"`]+)\1\s*,\s*import\.meta\.url/g,
  ]
  return forms.flatMap((form) =>
    [...bare.matchAll(form)].map((match) => ({
      specifier: match.groups!['specifier']!,
      typeOnly: /^\s*(import|export)\s+type\s/.test(match[0]),
    })),
  )
}

interface SourceFile {
  path: string
  module: string
  /** Paths below src/. */
  local: Import[]
  /** Packages, and Node's own as "node:…". */
  external: Import[]
}

/** Module of a path below src/: a folder, an adapter's folder, or the file itself. */
export function moduleOf(path: string): string {
  const [first = '', second = ''] = path.split('/')
  if (!path.includes('/')) return first
  return first === 'adapters' ? `adapters/${second}` : first
}

const packageOf = (specifier: string) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

export function readSource(path: string): SourceFile {
  const text = readFileSync(join(ROOT, 'src', path), 'utf8')
  const imports = importsOf(text)
  const isLocal = ({ specifier }: Import) => specifier.startsWith('.')
  return {
    path,
    module: moduleOf(path),
    local: imports
      .filter(isLocal)
      .map(({ specifier, typeOnly }) => ({ specifier: join(dirname(path), specifier), typeOnly })),
    external: imports
      .filter((one) => !isLocal(one))
      .map(({ specifier, typeOnly }) => ({ specifier: packageOf(specifier), typeOnly })),
  }
}
