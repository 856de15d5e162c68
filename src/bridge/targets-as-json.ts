interface TargetInfo {
  targetId: string
  type: string
  title: string
  url: string
}

/** Those that stand for something else: a tab is there beside its page. */
const UNLISTED: ReadonlySet<string> = new Set(['browser', 'tab'])

/** What GET /json/list answers, as Chromium does. `host`: as the client calls the bridge. */
export function targetsAsJson(infos: readonly TargetInfo[], host: string): object[] {
  return infos.filter(({ type }) => !UNLISTED.has(type)).map((info) => targetAsJson(info, host))
}

export function targetAsJson({ targetId, type, title, url }: TargetInfo, host: string): object {
  return {
    description: '',
    id: targetId,
    title,
    type,
    url,
    webSocketDebuggerUrl: `ws://${host}/devtools/page/${targetId}`,
  }
}
