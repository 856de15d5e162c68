interface TargetInfo {
  targetId: string
  type: string
  title: string
  url: string
}

/** Wrapper targets: a tab is listed beside its page. */
const UNLISTED: ReadonlySet<string> = new Set(['browser', 'tab'])

/** The response of GET /json/list, as in Chromium. `host`: the name under which the client reaches the bridge. */
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
