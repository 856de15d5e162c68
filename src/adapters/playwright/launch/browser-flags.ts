import type { Viewport } from '../../../ports/viewport.ts'

/** Chromium's own ideas that would change what a page sees, cost time, or talk to servers nobody asked for. */
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
 * For a browser that reaches the network through a proxy of ours alone, loopback included: no name is looked up by the
 * browser itself, and nothing goes by UDP. A flag covers the contexts that clients make; Playwright's option does not.
 */
const onlyThrough = (proxyPort: number) => [
  `--proxy-server=socks5://127.0.0.1:${proxyPort}`,
  '--proxy-bypass-list=<-loopback>',
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
  '--dns-prefetch-disable',
  '--disable-quic',
  // The headless shell knows the second alone, with its value (measured: without, STUN goes to any address by UDP).
  '--webrtc-ip-handling-policy=disable_non_proxied_udp',
  '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
]

/**
 * The command line of one browser process. No port of its own: it is spoken to over its pipes only. `proxyPort`: of its
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
