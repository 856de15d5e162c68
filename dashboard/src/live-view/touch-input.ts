import type { PageInput } from './input-queue.ts'

type Place = { x: number; y: number }
type Finger = Place & { id: number }

/** As many as the API accepts. */
const MAX_FINGERS = 10
/** A finger that moves less is a tap, in screen pixels of the viewer. */
const TAP_REACH = 10

/**
 * Listens to an element for touch, and sends each gesture to a page as one event with all touch points, as pages
 * expect it. Calls `tapped` within the event, where browsers allow the on-screen keyboard to be opened.
 */
export function takeFingers(
  element: HTMLElement,
  toPage: (point: { clientX: number; clientY: number }) => Place,
  push: (event: PageInput) => void,
  tapped: () => void,
  signal: AbortSignal,
): void {
  const down = new Map<number, Finger & { from: Place }>()

  const points = () => Array.from(down.values(), ({ x, y, id }) => ({ x, y, id }))
  const send = (type: 'START' | 'MOVE') => push({ touch: { type, points: points() } })
  const listen = (
    name: 'pointerdown' | 'pointermove' | 'pointerup' | 'pointercancel',
    handle: (e: PointerEvent) => void,
  ) => element.addEventListener(name, (event) => event.pointerType === 'touch' && handle(event), { signal })

  listen('pointerdown', (event) => {
    // Otherwise the browser synthesizes a mouse click, and the page would get two.
    event.preventDefault()
    if (down.size === MAX_FINGERS) return
    const taken = new Set(Array.from(down.values(), ({ id }) => id))
    const id = Array.from({ length: MAX_FINGERS }, (_, one) => one).find((one) => !taken.has(one))!
    down.set(event.pointerId, { ...toPage(event), id, from: { x: event.clientX, y: event.clientY } })
    send('START')
  })
  listen('pointermove', (event) => {
    const finger = down.get(event.pointerId)
    if (!finger) return
    Object.assign(finger, toPage(event))
    send('MOVE')
  })
  const lift = (type: 'END' | 'CANCEL') => (event: PointerEvent) => {
    const finger = down.get(event.pointerId)
    if (!finger || !down.delete(event.pointerId)) return
    if (down.size > 0) return send('MOVE')
    push({ touch: { type } })
    const reach = Math.hypot(event.clientX - finger.from.x, event.clientY - finger.from.y)
    if (type === 'END' && reach <= TAP_REACH) tapped()
  }
  listen('pointerup', lift('END'))
  listen('pointercancel', lift('CANCEL'))
  signal.addEventListener('abort', () => down.size > 0 && push({ touch: { type: 'CANCEL' } }))
}
