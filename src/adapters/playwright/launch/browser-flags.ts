import type { Viewport } from '../../../ports/base/viewport.ts'

/** Chromium features that would change the content of pages, cost time, or contact servers unasked. */
const DISABLED_FEATURES = [
  'AvoidUnnecessaryBeforeUnloadCheckSync',
  'DestroyProfileOnBrowserClose',
  'HttpsUpgrades',
  'HttpsFirstBalancedModeAutoEnable',
  'MediaRouter',
  'PaintHolding',
  'ThirdPartyStoragePartitioning',
  'AvoidCorsURLLoaderRestartOnRedirect',
  'OptimizationHints',
  'NetworkTimeServiceQuerying',
  'AimEnabled',
  'PreconnectToSearch',
  'Translate',
  'AutofillServerCommunication',
  'CertificateTransparencyComponentUpdater',
]

const FLAGS = [
  '--headless',
  '--remote-debugging-pipe',
  '--no-startup-window',
  '--hide-scrollbars',
  '--mute-audio',
  '--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4',
  '--disable-field-trial-config',
  '--disable-background-networking',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-back-forward-cache',
  '--disable-breakpad',
  '--disable-client-side-phishing-detection',
  '--disable-component-extensions-with-background-pages',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-dev-shm-usage',
  '--disable-domain-reliability',
  '--disable-extensions',
  '--disable-hang-monitor',
  '--enable-logging=stderr',
  '--log-level=1',
  '--disable-ipc-flooding-protection',
  '--disable-popup-blocking',
  '--disable-prompt-on-repost',
  '--disable-renderer-backgrounding',
  '--disable-search-engine-choice-screen',
  '--disable-sync',
  '--allow-pre-commit-input',
  '--force-color-profile=srgb',
  '--metrics-recording-only',
  '--no-default-browser-check',
  '--no-first-run',
  '--no-pings',
  '--no-service-autorun',
  '--password-store=basic',
  '--use-mock-keychain',
  '--unsafely-disable-devtools-self-xss-warnings',
  `--disable-features=${DISABLED_FEATURES.join(',')}`,
  '--enable-features=CDPScreenshotNewSurface,SkipListAccountsWithoutGaiaCookies',
]

/**
 * For a browser that reaches the network only through our proxy, loopback included: the browser itself resolves no
 * names and sends no UDP. A flag applies to contexts that clients create; Playwright's option does not.
 */
const onlyThrough = (proxyPort: number) => [
  `--proxy-server=socks5://127.0.0.1:${proxyPort}`,
  '--proxy-bypass-list=<-loopback>',
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
  '--dns-prefetch-disable',
  '--disable-quic',
  // The headless shell supports only the second flag, with its value (measured: without it, STUN goes to any address by
  // UDP).
  '--webrtc-ip-handling-policy=disable_non_proxied_udp',
  '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
]

/**
 * The command line of one browser process. It opens no debugging port: we use its pipes only. `proxyPort`: port of its
 * proxy on 127.0.0.1; null: it has none.
 */
export function browserFlags(
  profileDir: string,
  sandboxed: boolean,
  window: Viewport,
  proxyPort: number | null,
): string[] {
  return [
    ...FLAGS,
    ...(proxyPort === null ? [] : onlyThrough(proxyPort)),
    ...(sandboxed ? [] : ['--no-sandbox']),
    `--window-size=${window.width},${window.height}`,
    `--user-data-dir=${profileDir}`,
  ]
}
