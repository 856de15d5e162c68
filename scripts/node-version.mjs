/** Which versions of Node the packages need; the same words go to people. */
export const NODE_NEEDED = '22.18 or a later 22, 24, or 26 and later'

/** The version fetched where the machine's own Node is none of these. Exact, so that every machine runs the same. */
export const TOOLCHAIN_NODE_VERSION = '24.21.0'

/** @param {string} version such as "v20.20.2" */
export function isNodeSupported(version) {
  const [major, minor] = version.replace(/^v/, '').split('.').map(Number)
  return (major === 22 && minor >= 18) || major === 24 || major >= 26
}
