import { MAX_ENTRIES } from '../cdp/barrier/auto-attach.ts'

/**
 * What a client may ask of the browser: it is a guest on our machine. The protocol
 * grows, so what is not named here is refused: by domain where all of a domain is about the page, by command where a
 * domain also reaches the browser or the machine.
 */

/** All of these, but for the commands that RULES names. */
const DOMAINS = new Set([
  'Accessibility',
  'Ads',
  'Animation',
  'Audits',
  'Autofill',
  'BackgroundService',
  'BluetoothEmulation',
  'CSS',
  'CacheStorage',
  'Console',
  'CrashReportContext',
  'DOM',
  'DOMDebugger',
  'DOMSnapshot',
  'DOMStorage',
  'Debugger',
  'DeviceAccess',
  'DeviceOrientation',
  'DigitalCredentials',
  'Emulation',
  'EventBreakpoints',
  'FedCm',
  'Fetch',
  'FileSystem',
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
  'SmartCardEmulation',
  'Storage',
  'Tracing',
  'WebAudio',
  'WebAuthn',
  'WebMCP',
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

export interface CommandPolicy {
  /** Why an http or https address is not opened, for people; null: it is. */
  refuseAddress(url: string): string | null
  /** The context that a client takes for the browser's own. */
  browserContextId: string
  /** The client has devices emulated that pages may be given. */
  emulatesDevices: boolean
}

type Rule = (params: CommandParams, rules: CommandPolicy) => string | null

const never = (why: string): Rule => {
  return () => why
}

const HOST_FILES = 'it names files of the machine on which the browser runs'

/** A session that is not flat would carry commands in texts that nobody looks into. */
const flatOnly: Rule = ({ flatten }) => (flatten === true ? null : 'only flat sessions are served: say flatten: true')

const RULES: Readonly<Record<string, Rule>> = {
  'DOM.getFileInfo': never(HOST_FILES),
  // Names of uploads are served, but not as they come (file-inputs.ts).
  'DOM.setFileInputFiles': ({ files }) => (Array.isArray(files) && files.length === 0 ? null : HOST_FILES),
  'DeviceAccess.selectPrompt': (_, { emulatesDevices }) =>
    emulatesDevices
      ? null
      : 'it names devices of the machine on which the browser runs; enable BluetoothEmulation first',
  'Fetch.continueRequest': ({ url }, rules) => (url === undefined ? null : refuseUrl(url, rules)),
  'Input.dispatchDragEvent': ({ data }) => {
    const files = (data as { files?: unknown } | null | undefined)?.files
    return files === undefined || (Array.isArray(files) && files.length === 0) ? null : HOST_FILES
  },
  'Network.loadNetworkResource': ({ url }, rules) => refuseUrl(url, rules),
  'Page.navigate': ({ url }, rules) => refuseUrl(url, rules),
  // Served, but not as it comes (client-commands.ts).
  'Page.setDownloadBehavior': never('it names folders of the machine on which the browser runs'),
  'Target.attachToTarget': flatOnly,
  // Measured: `direct://` goes past a proxy that the browser was started with.
  'Target.createBrowserContext': ({ proxyServer, proxyBypassList }) =>
    proxyServer == null && proxyBypassList == null
      ? null
      : 'a context uses the network as its session does: give startSession a proxy',
  'Target.createTarget': (params, rules) =>
    opensBlank('Target.createTarget', params) ? null : refuseUrl(params['url'], rules),
  'Target.disposeBrowserContext': ({ browserContextId }, rules) =>
    browserContextId === rules.browserContextId ? 'the context of the session ends with the session' : null,
  'Target.setAutoAttach': (params, rules) => {
    const { autoAttach, filter } = params
    if (Array.isArray(filter) && filter.length > MAX_ENTRIES) return `a filter has at most ${MAX_ENTRIES} entries`
    return autoAttach === true ? flatOnly(params, rules) : null
  },
  'Tracing.start': ({ perfettoConfig, tracingBackend }) =>
    perfettoConfig === undefined && tracingBackend === undefined
      ? null
      : 'a trace is given by ReportEvents or ReturnAsStream',
}

/** Why a command is not handed on, for people; null: it is. */
export function refuseCommand(method: string, params: CommandParams, rules: CommandPolicy): string | null {
  const domain = method.slice(0, Math.max(0, method.indexOf('.')))
  if (!DOMAINS.has(domain) && !COMMANDS.has(method)) return 'it reaches beyond the pages of the session'
  const rule = Object.hasOwn(RULES, method) ? RULES[method] : undefined
  return rule ? rule(params, rules) : null
}

/** Whether the command leads to an address that is none: a browser says so itself. */
export function isInvalidAddress(method: string, { url }: CommandParams): boolean {
  return method === 'Page.navigate' && typeof url === 'string' && !URL.canParse(url)
}

/** Whether the command opens a blank page, as a browser does where the address is none. */
export function opensBlank(method: string, { url }: CommandParams): boolean {
  return method === 'Target.createTarget' && typeof url === 'string' && !URL.canParse(url)
}

/** Made by the page itself, or by whoever drives it. */
const HARMLESS_SCHEMES = new Set(['data:', 'blob:', 'javascript:'])

function refuseUrl(url: unknown, { refuseAddress }: CommandPolicy): string | null {
  if (typeof url !== 'string') return 'url must be a text'
  const parsed = URL.parse(url)
  if (parsed && HARMLESS_SCHEMES.has(parsed.protocol)) return null
  if (parsed?.protocol === 'about:' && parsed.pathname === 'blank') return null
  return refuseAddress(url)
}
