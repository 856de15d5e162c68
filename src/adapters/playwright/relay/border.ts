/**
 * What a client may ask of the browser: it is a guest on our machine (BROWSER.md, relay rules 1, 3 and 6). The protocol
 * grows, so what is not named here is refused: by domain where all of a domain is about the page, by command where a
 * domain also reaches the browser or the machine.
 */

/** All of these, but for the commands that RULES names. */
const DOMAINS = new Set([
  'Accessibility',
  'Animation',
  'Audits',
  'BackgroundService',
  'CSS',
  'CacheStorage',
  'Console',
  'DOM',
  'DOMDebugger',
  'DOMSnapshot',
  'DOMStorage',
  'Debugger',
  'DeviceOrientation',
  'Emulation',
  'EventBreakpoints',
  'FedCm',
  'Fetch',
  'HeadlessExperimental',
  'HeapProfiler',
  'IO',
  'IndexedDB',
  'Input',
  'Inspector',
  'LayerTree',
  'Log',
  'Media',
  'Network',
  'Overlay',
  'Page',
  'Performance',
  'PerformanceTimeline',
  'Preload',
  'Profiler',
  'Runtime',
  'Schema',
  'Security',
  'ServiceWorker',
  'Storage',
  'Tracing',
  'WebAudio',
  'WebAuthn',
])

/** Of domains that reach further than a page, these alone. */
const COMMANDS = new Set([
  'Browser.cancelDownload',
  'Browser.getVersion',
  'Browser.getWindowBounds',
  'Browser.getWindowForTarget',
  'Browser.grantPermissions',
  'Browser.resetPermissions',
  'Browser.setContentsSize',
  'Browser.setDownloadBehavior',
  'Browser.setPermission',
  'Browser.setWindowBounds',
  'Memory.forciblyPurgeJavaScriptMemory',
  'Memory.getDOMCounters',
  'Memory.simulatePressureNotification',
  'Target.activateTarget',
  'Target.attachToBrowserTarget',
  'Target.attachToTarget',
  'Target.autoAttachRelated',
  'Target.closeTarget',
  'Target.createBrowserContext',
  'Target.createTarget',
  'Target.detachFromTarget',
  'Target.disposeBrowserContext',
  'Target.getBrowserContexts',
  'Target.getTargetInfo',
  'Target.getTargets',
  'Target.setAutoAttach',
  'Target.setDiscoverTargets',
])

export type CommandParams = Readonly<Record<string, unknown>>

interface BorderRules {
  /** Why an http or https address is not opened, for people; null: it is. */
  refuseAddress(url: string): string | null
  /** The context that a client takes for the browser's own. */
  browserContextId: string
}

type Rule = (params: CommandParams, rules: BorderRules) => string | null

const never = (why: string): Rule => {
  return () => why
}

const HOST_FILES = 'it names files of the machine on which the browser runs'

/** A session that is not flat would carry commands in texts that nobody looks into. */
const flatOnly: Rule = ({ flatten }) => (flatten === true ? null : 'only flat sessions are served: say flatten: true')

const RULES: Readonly<Record<string, Rule>> = {
  'DOM.getFileInfo': never(HOST_FILES),
  'DOM.setFileInputFiles': ({ files }) =>
    Array.isArray(files) && files.length === 0 ? null : `${HOST_FILES}: give their contents, or use the action upload`,
  'Fetch.continueRequest': ({ url }, rules) => (url === undefined ? null : refuseUrl(url, rules)),
  'Input.dispatchDragEvent': ({ data }) => {
    const files = (data as { files?: unknown } | null | undefined)?.files
    return files === undefined || (Array.isArray(files) && files.length === 0) ? null : HOST_FILES
  },
  'Network.loadNetworkResource': ({ url }, rules) => refuseUrl(url, rules),
  'Page.navigate': ({ url }, rules) => refuseUrl(url, rules),
  'Page.setDownloadBehavior': never(
    'downloads are kept as artifacts of the session; Browser.setDownloadBehavior is served',
  ),
  'Target.attachToTarget': flatOnly,
  // Measured: `direct://` goes past a proxy that the browser was started with.
  'Target.createBrowserContext': ({ proxyServer, proxyBypassList }) =>
    proxyServer == null && proxyBypassList == null
      ? null
      : 'a context uses the network as its session does: give startSession a proxy',
  'Target.createTarget': ({ url }, rules) => (url === '' ? null : refuseUrl(url, rules)),
  'Target.disposeBrowserContext': ({ browserContextId }, rules) =>
    browserContextId === rules.browserContextId ? 'the context of the session ends with the session' : null,
  'Target.setAutoAttach': (params, rules) => (params['autoAttach'] === true ? flatOnly(params, rules) : null),
  'Tracing.start': ({ perfettoConfig, tracingBackend }) =>
    perfettoConfig === undefined && tracingBackend === undefined
      ? null
      : 'a trace is given by ReportEvents or ReturnAsStream',
}

/** Why a command is not handed on, for people; null: it is. */
export function refuseCommand(method: string, params: CommandParams, rules: BorderRules): string | null {
  const domain = method.slice(0, Math.max(0, method.indexOf('.')))
  if (!DOMAINS.has(domain) && !COMMANDS.has(method)) return 'it reaches beyond the pages of the session'
  const rule = Object.hasOwn(RULES, method) ? RULES[method] : undefined
  return rule ? rule(params, rules) : null
}

/** Made by the page itself, or by whoever drives it. */
const HARMLESS_SCHEMES = new Set(['data:', 'blob:', 'javascript:'])

function refuseUrl(url: unknown, { refuseAddress }: BorderRules): string | null {
  if (typeof url !== 'string') return 'url must be a text'
  if (url === 'about:blank') return null
  if (URL.canParse(url) && HARMLESS_SCHEMES.has(new URL(url).protocol)) return null
  return refuseAddress(url)
}
