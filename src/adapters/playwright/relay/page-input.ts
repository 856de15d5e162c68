/** Commands by which a client makes a page act, besides those of the domain Input. */
const ACTING = new Set([
  'DOM.focus',
  'Page.close',
  'Page.handleJavaScriptDialog',
  'Page.navigate',
  'Page.navigateToHistoryEntry',
  'Page.reload',
  'Runtime.callFunctionOn',
  'Runtime.evaluate',
  'Runtime.runScript',
  'Target.closeTarget',
])

/** Whether a dialog that opens soon after may be a consequence of the command. */
export const isPageInput = (method: string): boolean => method.startsWith('Input.') || ACTING.has(method)
