// Stands in for npm in the tests of set-up. It records each call, and does what FAKE_NPM says.
import { appendFileSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const args = process.argv.slice(2)
appendFileSync(process.env.FAKE_NPM_CALLS, `${JSON.stringify({ args, node: process.version })}\n`)

const FAILURES = {
  network: 'npm error code ENOTFOUND\nnpm error network request to the registry failed',
  space: 'npm error code ENOSPC\nnpm error nospc There appears to be insufficient space on your system to finish.',
  rights: "npm error code EACCES\nnpm error Error: EACCES: permission denied, mkdir 'node_modules'",
  other: 'npm error code EUSAGE\nnpm error `npm ci` can only install packages when your package.json agrees',
}
const failure = FAILURES[process.env.FAKE_NPM]
if (failure) {
  process.stderr.write(`${failure}\n`)
  process.exit(1)
}

if (args[0] === 'ci') {
  mkdirSync('node_modules', { recursive: true })
  copyFileSync('package-lock.json', join('node_modules', '.package-lock.json'))
} else {
  // npm install --prefix <dir> … node-<platform>@<version>: creates a Node that reports that version.
  const dir = args[args.indexOf('--prefix') + 1]
  const [name, version] = args.at(-1).split('@')
  const bin = join(dir, 'node_modules', name, 'bin')
  mkdirSync(bin, { recursive: true })
  const says = process.env.FAKE_NPM === 'foreign' ? 'exit 126' : `echo v${version}; exit 0`
  writeFileSync(
    join(bin, 'node'),
    `#!/bin/sh\nif [ "$1" = --version ]; then ${says}; fi\nexec '${process.execPath}' "$@"\n`,
    { mode: 0o755 },
  )
}
