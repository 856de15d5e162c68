import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Whether a built file is at least as new as all that it is made of. A folder stands for everything in it, and is itself
 * newer when something in it was added, removed or renamed.
 *
 * @param {string} root
 * @param {string} built
 * @param {readonly string[]} sources files and folders
 * @param {(path: string) => boolean} [isSource] whether a path below one of the folders counts
 */
export function isFresh(root, built, sources, isSource = () => true) {
  if (!existsSync(join(root, built))) return false
  const builtAt = statSync(join(root, built)).mtimeMs
  /** @param {string} path */
  const isOlder = (path) => {
    const found = statSync(join(root, path))
    if (found.mtimeMs > builtAt) return false
    return (
      !found.isDirectory() ||
      readdirSync(join(root, path))
        .map((name) => join(path, name))
        .filter(isSource)
        .every(isOlder)
    )
  }
  return sources.every(isOlder)
}
