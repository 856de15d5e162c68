import type { BrowserOptions } from '../../../ports/browser/browser.ts'
import type { CdpConnection } from '../cdp/connection/cdp-connection.ts'
import type { CdpCommand } from '../cdp/protocol/cdp-commands.ts'
import type { TargetRegistry } from '../cdp/targets/target-registry.ts'

type WorkerCommand = CdpCommand<
  | 'Emulation.setLocaleOverride'
  | 'Emulation.setTimezoneOverride'
  | 'Emulation.setUserAgentOverride'
  | 'Network.setExtraHTTPHeaders'
  | 'Runtime.evaluate'
>

/** From now on, workers without a page get the session's options. */
export function prepareWorkers(
  connection: Pick<CdpConnection, 'notify'>,
  targets: TargetRegistry,
  options: BrowserOptions,
): void {
  const commands = workerCommands(options)
  targets.prepareWorker = (sessionId) => {
    for (const { method, params } of commands) connection.notify(method, params, sessionId)
  }
}

/**
 * Commands for a worker without a page before its script runs, so that the options of its session apply there as well:
 * Playwright sends them only to pages and their workers.
 */
function workerCommands({ userAgent, locale, timezone, extraHeaders }: BrowserOptions): WorkerCommand[] {
  const commands: WorkerCommand[] = []
  if (userAgent !== null || locale !== null) {
    const params = { userAgent: userAgent ?? '', ...(locale === null ? {} : { acceptLanguage: locale }) }
    commands.push({ method: 'Emulation.setUserAgentOverride', params })
  }
  // The browser sends the header, but a worker got the browser's own user agent when it was created.
  if (userAgent !== null) commands.push({ method: 'Runtime.evaluate', params: { expression: naming(userAgent) } })
  if (locale !== null) commands.push({ method: 'Emulation.setLocaleOverride', params: { locale } })
  if (timezone !== null) commands.push({ method: 'Emulation.setTimezoneOverride', params: { timezoneId: timezone } })
  if (extraHeaders !== null) commands.push({ method: 'Network.setExtraHTTPHeaders', params: { headers: extraHeaders } })
  return commands
}

/** Overrides it as a page would: by getters of the prototype. */
function naming(userAgent: string): string {
  const appVersion = userAgent.replace(/^Mozilla\//, '')
  return `Object.defineProperties(WorkerNavigator.prototype, {
    userAgent: { get: () => ${JSON.stringify(userAgent)} },
    appVersion: { get: () => ${JSON.stringify(appVersion)} },
  })`
}
