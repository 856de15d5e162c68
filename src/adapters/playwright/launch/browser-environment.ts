import type { BrowserFolders } from './browser-folders.ts'

/** Environment variables passed to a browser: none with keys, passwords or addresses. */
const PASSED = /^(PATH|LANG|LANGUAGE|LC_\w+|TZ|LD_LIBRARY_PATH|FONTCONFIG_\w+|SSL_CERT_\w+)$/
const UTF_8 = /utf-?8/i

/** The environment of a browser process. `own`: that of this process. */
export function browserEnvironment(own: NodeJS.ProcessEnv, folders: BrowserFolders): NodeJS.ProcessEnv {
  const passed = Object.fromEntries(Object.entries(own).filter(([name]) => PASSED.test(name)))
  const { home, temporary } = folders
  return {
    ...withUtf8(passed),
    HOME: home,
    TMPDIR: temporary,
    XDG_CONFIG_HOME: home,
    XDG_CACHE_HOME: home,
  }
}

/**
 * Where the locale has another encoding, as in services and containers that set none, Chromium names every download with
 * a character beyond ASCII "download".
 */
function withUtf8({ LC_ALL, ...passed }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const encoding = LC_ALL || passed['LC_CTYPE'] || passed['LANG'] || ''
  if (UTF_8.test(encoding)) return LC_ALL === undefined ? passed : { ...passed, LC_ALL }
  // LC_ALL would win.
  return { ...(LC_ALL ? { LANG: LC_ALL } : {}), ...passed, LC_CTYPE: 'C.UTF-8' }
}
