import type { KeyModifier } from '../../../contract/input-event.ts'

/** A key as the protocol of browsers names it. */
export interface Key {
  key: string
  code: string
  /** Of Windows: old pages go by it. 0: it has none. */
  windowsVirtualKeyCode: number
}

const MODIFIER_BITS: Record<KeyModifier, number> = { ALT: 1, CONTROL: 2, META: 4, SHIFT: 8 }

export function modifierBits(modifiers: readonly KeyModifier[]): number {
  return modifiers.reduce((bits, modifier) => bits | MODIFIER_BITS[modifier], 0)
}

/** Names in KeyboardEvent.key, with the code and the number of the key that has it. */
const NAMED: Readonly<Record<string, readonly [code: string, number: number]>> = {
  Backspace: ['Backspace', 8],
  Tab: ['Tab', 9],
  Enter: ['Enter', 13],
  Shift: ['ShiftLeft', 16],
  Control: ['ControlLeft', 17],
  Alt: ['AltLeft', 18],
  Pause: ['Pause', 19],
  CapsLock: ['CapsLock', 20],
  Escape: ['Escape', 27],
  ' ': ['Space', 32],
  PageUp: ['PageUp', 33],
  PageDown: ['PageDown', 34],
  End: ['End', 35],
  Home: ['Home', 36],
  ArrowLeft: ['ArrowLeft', 37],
  ArrowUp: ['ArrowUp', 38],
  ArrowRight: ['ArrowRight', 39],
  ArrowDown: ['ArrowDown', 40],
  PrintScreen: ['PrintScreen', 44],
  Insert: ['Insert', 45],
  Delete: ['Delete', 46],
  Meta: ['MetaLeft', 91],
  ContextMenu: ['ContextMenu', 93],
  NumLock: ['NumLock', 144],
  ScrollLock: ['ScrollLock', 145],
  AltGraph: ['AltRight', 225],
}

/** Keys of an American keyboard that are neither letters nor digits: what they type without and with Shift. */
const SIGNS: readonly (readonly [typed: string, code: string, number: number])[] = [
  [';:', 'Semicolon', 186],
  ['=+', 'Equal', 187],
  [',<', 'Comma', 188],
  ['-_', 'Minus', 189],
  ['.>', 'Period', 190],
  ['/?', 'Slash', 191],
  ['`~', 'Backquote', 192],
  ['[{', 'BracketLeft', 219],
  ['\\|', 'Backslash', 220],
  [']}', 'BracketRight', 221],
  [`'"`, 'Quote', 222],
]

/** What the digits type with Shift. */
const OVER_DIGITS = ')!@#$%^&*('

/** The key that has this name, on an American keyboard; null: there is none. */
export function keyNamed(key: string): Key | null {
  const named = Object.hasOwn(NAMED, key) ? NAMED[key] : undefined
  if (named) return { key, code: named[0], windowsVirtualKeyCode: named[1] }
  if (/^F([1-9]|1[0-9]|2[0-4])$/.test(key)) {
    return { key, code: key, windowsVirtualKeyCode: 111 + Number(key.slice(1)) }
  }
  if (/^[a-z]$/i.test(key)) return keyOfNumber(key, `Key${key.toUpperCase()}`, key.toUpperCase().charCodeAt(0))
  const digit = /^[0-9]$/.test(key) ? Number(key) : key.length === 1 ? OVER_DIGITS.indexOf(key) : -1
  if (digit >= 0) return keyOfNumber(key, `Digit${digit}`, 48 + digit)
  const sign = key.length === 1 ? SIGNS.find(([typed]) => typed.includes(key)) : undefined
  return sign ? keyOfNumber(key, sign[1], sign[2]) : null
}

/** The number of a key by its place, for keyboards on which the place types something else. */
export function numberOfCode(code: string): number {
  const letter = /^Key([A-Z])$/.exec(code)?.[1] ?? /^(?:Digit|Numpad)([0-9])$/.exec(code)?.[1]
  if (letter !== undefined) return letter.charCodeAt(0)
  const sign = SIGNS.find(([, place]) => place === code)
  if (sign) return sign[2]
  return Object.values(NAMED).find(([place]) => place === code.replace(/Right$/, 'Left'))?.[1] ?? 0
}

/** What a key types when it goes down; null: nothing. */
export function typedBy(key: string, modifiers: readonly KeyModifier[]): string | null {
  const held = new Set(modifiers)
  // Both of them are AltGr, which types.
  const commands = held.has('META') || held.has('CONTROL') !== held.has('ALT')
  if (commands) return null
  if (key === 'Enter') return '\r'
  return Array.from(key).length === 1 ? key : null
}

function keyOfNumber(key: string, code: string, windowsVirtualKeyCode: number): Key {
  return { key, code, windowsVirtualKeyCode }
}
