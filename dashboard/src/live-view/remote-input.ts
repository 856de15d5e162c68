import type { InputQueue } from './input-queue.ts'
import { takeFingers } from './touch-input.ts'

type Modifier = 'ALT' | 'CONTROL' | 'META' | 'SHIFT'

const BUTTONS = ['LEFT', 'MIDDLE', 'RIGHT'] as const

/** Converts a point of the window to the page shown in a frame, in CSS pixels of that page. */
export type ToPage = (point: { clientX: number; clientY: number }) => { x: number; y: number }

/**
 * Listens to a live view for mouse and touch, and to an empty field for the keyboard: composed, dictated or swiped
 * input arrives as text. Everything is sent to the page except Shift+Escape, which calls `release`, so that keyboard
 * users can get out. Returns a function that stops it.
 */
export function takeControl(
  element: HTMLElement,
  keys: HTMLTextAreaElement,
  toPage: ToPage,
  queue: InputQueue,
  release: () => void,
): () => void {
  const ended = new AbortController()
  const { signal } = ended
  /** Pressed keys as they went down, by physical location: their meaning changes with Shift. */
  const held = new Map<string, Pick<KeyboardEvent, 'key' | 'code'>>()

  const mouse = (type: 'MOVE' | 'DOWN' | 'UP', pressed?: number) => (event: MouseEvent) => {
    if (type !== 'MOVE') event.preventDefault()
    const button = BUTTONS[pressed ?? event.button]
    // Back and forward buttons of a mouse have no meaning on a page.
    if (!button) return
    if (type === 'DOWN') keys.focus()
    const clickCount = Math.min(3, Math.max(1, event.detail))
    queue.push({ mouse: { type, ...toPage(event), button, clickCount, modifiers: modifiersOf(event) } })
    // A drag continues beyond the edge of the view.
    if (type === 'DOWN') {
      const drag = new AbortController()
      const options = { signal: AbortSignal.any([drag.signal, signal]) }
      let last = event
      // A move does not report which button is down.
      const lift = (up: MouseEvent) => {
        drag.abort()
        mouse('UP', event.button)(up)
      }
      window.addEventListener(
        'mousemove',
        (move) => {
          last = move
          mouse('MOVE')(move)
        },
        options,
      )
      window.addEventListener('mouseup', (up) => up.button === event.button && lift(up), options)
      // A button released elsewhere would stay down forever.
      signal.addEventListener('abort', () => lift(last), { signal: drag.signal })
    }
  }

  takeFingers(
    element,
    toPage,
    (event) => queue.push(event),
    () => keys.focus(),
    signal,
  )
  element.addEventListener('mousedown', mouse('DOWN'), { signal })
  element.addEventListener('mousemove', (event) => event.buttons === 0 && mouse('MOVE')(event), { signal })
  element.addEventListener('contextmenu', (event) => event.preventDefault(), { signal })
  element.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault()
      queue.push({ wheel: { ...toPage(event), deltaX: event.deltaX, deltaY: event.deltaY } })
    },
    { signal, passive: false },
  )
  keys.addEventListener(
    'keydown',
    (event) => {
      if (event.shiftKey && event.key === 'Escape') {
        event.preventDefault()
        return release()
      }
      // The browser turns it into the event below, which alone may read the clipboard.
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'v') return
      // The start of a composition that will arrive as text.
      if (event.isComposing || ['Unidentified', 'Dead', 'Process'].includes(event.key)) return
      event.preventDefault()
      held.set(event.code || event.key, event)
      queue.push({ key: { type: 'DOWN', key: event.key, code: event.code || null, modifiers: modifiersOf(event) } })
    },
    { signal },
  )
  keys.addEventListener(
    'keyup',
    (event) => {
      if (!held.delete(event.code || event.key)) return
      event.preventDefault()
      queue.push({ key: { type: 'UP', key: event.key, code: event.code || null, modifiers: modifiersOf(event) } })
    },
    { signal },
  )
  keys.addEventListener(
    'paste',
    (event) => {
      event.preventDefault()
      const text = event.clipboardData?.getData('text/plain')
      if (text) queue.push({ paste: { text } })
    },
    { signal },
  )
  const takeText = (event: Event) => {
    if (event instanceof InputEvent && event.isComposing) return
    if (keys.value !== '') queue.push({ text: { text: keys.value } })
    keys.value = ''
  }
  keys.addEventListener('input', takeText, { signal })
  keys.addEventListener('compositionend', takeText, { signal })
  // A key released elsewhere would stay down forever.
  const letGo = () => {
    for (const { key, code } of held.values()) queue.push({ key: { type: 'UP', key, code: code || null } })
    held.clear()
  }
  keys.addEventListener('blur', letGo, { signal })
  return () => {
    letGo()
    ended.abort()
  }
}

function modifiersOf(event: MouseEvent | KeyboardEvent): Modifier[] {
  const held: [boolean, Modifier][] = [
    [event.altKey, 'ALT'],
    [event.ctrlKey, 'CONTROL'],
    [event.metaKey, 'META'],
    [event.shiftKey, 'SHIFT'],
  ]
  return held.filter(([isHeld]) => isHeld).map(([, name]) => name)
}
