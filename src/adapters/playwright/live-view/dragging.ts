import type { MouseInput } from '../../../contract/input-event.ts'
import type { CdpEvents } from '../cdp/protocol/cdp-events.ts'
import type { InputCommand } from './input-commands.ts'
import { modifierBits } from './keys.ts'

/** What is dragged, as the browser told it. */
export type DragData = CdpEvents['Input.dragIntercepted']['data']

type DragStep = 'dragEnter' | 'drop' | 'dragCancel'

/** While on, a drag that begins on the page is told to us in place of being carried out. */
export const interceptDrags = (enabled: boolean): InputCommand => ({
  method: 'Input.setInterceptDrags',
  params: { enabled },
})

/**
 * What the mouse of one page drags. The browser would do that by itself, but it tells a place that it comes to only once
 * the mouse moves there again, and refuses a drop before (measured); and a browser with windows would take the mouse of
 * the machine.
 */
export class Dragging {
  #data: DragData | null = null

  get isOn(): boolean {
    return this.#data !== null
  }

  /** A drag begins. */
  begin(data: DragData): void {
    this.#data = data
  }

  /** Where it begins, and each place that it comes to. Always as one that was entered: a page may have come in between. */
  over(event: MouseInput): InputCommand[] {
    return this.#step('dragEnter', event)
  }

  /** What the mouse does while something is dragged; other buttons do nothing then. */
  of(event: MouseInput): InputCommand[] {
    if (event.type === 'MOVE') return this.over(event)
    return event.type === 'UP' && event.button === 'LEFT' ? this.#drop(event) : []
  }

  cancel(): InputCommand[] {
    return this.#end(this.#step('dragCancel', { x: 0, y: 0, modifiers: [] }))
  }

  /** Over the place first: the page refuses a drop where nothing was dragged before. */
  #drop(event: MouseInput): InputCommand[] {
    return this.#end([...this.over(event), ...this.#step('drop', event)])
  }

  #end(commands: InputCommand[]): InputCommand[] {
    this.#data = null
    return commands
  }

  #step(type: DragStep, { x, y, modifiers }: Pick<MouseInput, 'x' | 'y' | 'modifiers'>): InputCommand[] {
    if (this.#data === null) return []
    const params = { type, x, y, data: this.#data, modifiers: modifierBits(modifiers) }
    return [{ method: 'Input.dispatchDragEvent', params }]
  }
}
