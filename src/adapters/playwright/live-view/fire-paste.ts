/**
 * Runs in the page: tells what has the focus that a text is pasted. False: the page prevented what follows. A document of
 * another site is not to be looked into; what is pasted there is only put in.
 */
export const FIRE_PASTE = `(text) => {
  let focused = document.activeElement
  for (;;) {
    let inner = focused?.shadowRoot?.activeElement ?? null
    try { inner ??= focused?.contentDocument?.activeElement ?? null } catch {}
    if (!inner) break
    focused = inner
  }
  const clipboardData = new DataTransfer()
  clipboardData.setData('text/plain', text)
  const paste = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true, composed: true })
  return (focused ?? document).dispatchEvent(paste)
}`
