import type { InputEvent, KeyInput, MouseInput } from '../../../contract/input-event.ts'
import type { CdpCommand, CdpParams } from '../cdp/protocol/cdp-commands.ts'
import { keyNamed, modifierBits, numberOfCode, typedBy } from './keys.ts'

/** A command of the protocol that gives a page input. */
export type InputCommand = CdpCommand<InputMethod> & {
  /** Those that follow each other with the same word need not wait for the answer before: each takes a frame, 17 ms. */
  run?: 'keys'
}

type InputMethod =
  | 'Input.dispatchMouseEvent'
  | 'Input.dispatchKeyEvent'
  | 'Input.dispatchTouchEvent'
  | 'Input.dispatchDragEvent'
  | 'Input.insertText'
  | 'Input.setInterceptDrags'

const BUTTONS = {
  LEFT: { name: 'left', bit: 1 },
  RIGHT: { name: 'right', bit: 2 },
  MIDDLE: { name: 'middle', bit: 4 },
} as const
const TOUCHES = { START: 'touchStart', MOVE: 'touchMove', END: 'touchEnd', CANCEL: 'touchCancel' } as const

/** Makes commands of what a person does; keeps in mind which buttons of the mouse are down, as moves have to say. */
export class InputCommands {
  #buttons = 0

  of(event: Exclude<InputEvent, { kind: 'paste' }>): InputCommand[] {
    switch (event.kind) {
      case 'mouse':
        return [this.#mouse(event)]
      case 'wheel': {
        const { x, y, deltaX, deltaY } = event
        return [{ method: 'Input.dispatchMouseEvent', params: { type: 'mouseWheel', x, y, deltaX, deltaY } }]
      }
      case 'key':
        return [keyCommand(event)]
      case 'text':
        return typing(event.text)
      case 'touch':
        return [
          { method: 'Input.dispatchTouchEvent', params: { type: TOUCHES[event.type], touchPoints: event.points } },
        ]
    }
  }

  /** Whether the button of the mouse is down. */
  holds(button: MouseInput['button']): boolean {
    return (this.#buttons & BUTTONS[button].bit) !== 0
  }

  #mouse({ type, x, y, button, clickCount, modifiers }: MouseInput): InputCommand {
    const method = 'Input.dispatchMouseEvent'
    const { name, bit } = BUTTONS[button]
    if (type === 'DOWN') this.#buttons |= bit
    if (type === 'UP') this.#buttons &= ~bit
    const common = { x, y, buttons: this.#buttons, modifiers: modifierBits(modifiers) }
    if (type !== 'MOVE') {
      const pressed = type === 'DOWN' ? 'mousePressed' : 'mouseReleased'
      return { method, params: { ...common, type: pressed, button: name, clickCount } }
    }
    const held = Object.values(BUTTONS).find((one) => (this.#buttons & one.bit) !== 0)
    return { method, params: { ...common, type: 'mouseMoved', button: held?.name ?? 'none' } }
  }
}

export const insertion = (text: string): InputCommand => ({ method: 'Input.insertText', params: { text } })

function keyCommand({ type, key, code, modifiers }: KeyInput): InputCommand {
  const known = keyNamed(key)
  const place = code ?? known?.code ?? ''
  const text = type === 'DOWN' ? typedBy(key, modifiers) : null
  const params: CdpParams<'Input.dispatchKeyEvent'> = {
    type: type === 'UP' ? 'keyUp' : text === null ? 'rawKeyDown' : 'keyDown',
    key,
    code: place,
    windowsVirtualKeyCode: numberOfCode(place) || (known?.windowsVirtualKeyCode ?? 0),
    modifiers: modifierBits(modifiers),
    location: locationOf(place),
    isKeypad: place.startsWith('Numpad'),
    ...(text === null ? {} : { text }),
  }
  return { method: 'Input.dispatchKeyEvent', params }
}

/** Which of two keys of one name: KeyboardEvent.location. */
function locationOf(code: string): number {
  const side = /^(?:Shift|Control|Alt|Meta)(Left|Right)$/.exec(code)?.[1]
  return side === 'Left' ? 1 : side === 'Right' ? 2 : 0
}

/** Key by key; what no key types is put in as a whole, as by an input method. */
function typing(text: string): InputCommand[] {
  const commands: InputCommand[] = []
  let whole = ''
  const putIn = () => {
    if (whole !== '') commands.push(insertion(whole))
    whole = ''
  }
  for (const character of text.replace(/\r\n?/g, '\n')) {
    const key = character === '\n' ? 'Enter' : character === '\t' ? 'Tab' : character
    if (!keyNamed(key)) {
      whole += character
      continue
    }
    putIn()
    // Where Tab leads to may be in another process, to which the next key would otherwise not go.
    const run = key === 'Tab' ? {} : { run: 'keys' as const }
    for (const type of ['DOWN', 'UP'] as const) {
      commands.push({ ...keyCommand({ kind: 'key', type, key, code: null, modifiers: [] }), ...run })
    }
  }
  putIn()
  return commands
}
