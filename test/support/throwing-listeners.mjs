import { AsyncLocalStorage } from 'node:async_hooks'
import { EventEmitter } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

/*
 * Preloaded into a server by a test: every listener and timer that runs for an owner throws, or leaves a rejected
 * promise, once. None is named here: emitters are patched to look at each event, timers and the listeners of our own
 * classes (arguments of `on…`, `subscribe`, `withhold`, `host`, `relay`) are wrapped when they are added.
 * A listener is identified by its source location, so that each counts once, regardless of the number of sessions.
 * Owners that existed before the faults began belong to the neighbor and are skipped; of later owners, each fails
 * once. Tests of shared resources, such as connections to the database, configure more.
 */
const ROOT = join(import.meta.dirname, '..', '..')
const { faultOwner } = await import(join(ROOT, 'src/fault-owner.ts'))

/** null: nothing throws; otherwise class names of the owners that may throw. */
let mode = null
/** Whether all fail: neighbors, too, an owner as often as it has listeners, and each listener in both ways. */
let isThorough = false
const neighbors = new WeakSet()
const failed = new WeakSet()
/** By place. */
const fired = new Map()
/** Our own listeners and timers that ran without an owner. */
const unowned = new Set()

function note(place, isOurs) {
  const owner = faultOwner()
  if (!owner) {
    if (isOurs) unowned.add(place)
    return
  }
  const kind = owner.constructor.name
  if (mode === null) return void neighbors.add(owner)
  if (!mode.includes(kind)) return
  if (!isThorough && (fired.has(place) || failed.has(owner) || neighbors.has(owner))) return
  failed.add(owner)
  const how = isThorough ? WAYS.find((way) => !fired.has(`${place}, ${way}`)) : WAYS[fired.size % 2]
  if (how === undefined) return
  fired.set(isThorough ? `${place}, ${how}` : place, { kind, how })
  const fault = new Error(`injected into ${place}`)
  if (how === 'throw') throw fault
  void Promise.reject(fault)
}

const WAYS = ['throw', 'reject']

const hash = (text) => {
  let sum = 0
  for (let at = 0; at < text.length; at += 1) sum = (Math.imul(sum, 31) + text.charCodeAt(at)) | 0
  return (sum >>> 0).toString(36)
}
const sources = new WeakMap()
function sourceOf(listener) {
  let known = sources.get(listener)
  if (known === undefined) {
    const text = Function.prototype.toString.call(listener)
    known = `${listener.name} ${hash(text)}`
    sources.set(listener, known)
  }
  return known
}

/** Like `emit`, but a listener may throw first; those before it have been called. */
function patchEmit(prototype) {
  const { emit } = prototype
  prototype.emit = function (name, ...args) {
    if (this === process || typeof name === 'symbol' || busy) return emit.call(this, name, ...args)
    const listeners = rawListenersOf(this, name)
    for (const [index, listener] of listeners.entries()) {
      const own = listener.listener ?? listener
      if (typeof own !== 'function') continue
      try {
        busy = true
        note(`${this.constructor?.name} '${name}': ${sourceOf(own)}`, false)
      } catch (fault) {
        busy = false
        for (const before of listeners.slice(0, index)) Reflect.apply(before, this, args)
        throw fault
      } finally {
        busy = false
      }
    }
    return emit.call(this, name, ...args)
  }
}
let busy = false
const rawListenersOf = (emitter, name) => (emitter.rawListeners ? emitter.rawListeners(name) : emitter.listeners(name))
patchEmit(EventEmitter.prototype)

const { chromium } = await import('playwright')
let playwrights = chromium
while (!Object.hasOwn(playwrights, 'emit')) playwrights = Object.getPrototypeOf(playwrights)
if (playwrights !== EventEmitter.prototype) patchEmit(playwrights)

/** Files whose timers belong to their callers, and are identified by them. */
const FOR_CALLERS = /^src\/async\/\w[\w-]*\.ts:/

/** The location in our code of the caller. */
function callSite() {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 20
  const { stack } = new Error('where')
  Error.stackTraceLimit = stackTraceLimit
  const places = stack
    .split('\n')
    .flatMap((line) => /src\/[^:]+:\d+:\d+/.exec(line.split(`${ROOT}/`)[1] ?? '')?.[0] ?? [])
  const caller = places.findIndex((place) => !FOR_CALLERS.test(place))
  return places.length === 0 ? null : caller < 1 ? places[0] : `${places[0]} for ${places[caller]}`
}

for (const name of ['setTimeout', 'setInterval', 'setImmediate']) {
  const original = globalThis[name]
  const patched = function (callback, ...args) {
    const site = typeof callback === 'function' ? callSite() : null
    if (site === null) return original(callback, ...args)
    const place = `${name} at ${site}`
    return original(
      (...given) => {
        note(place, true)
        return callback(...given)
      },
      ...args,
    )
  }
  // Symbols: util.promisify.
  globalThis[name] = Object.assign(patched, original)
  for (const symbol of Object.getOwnPropertySymbols(original)) patched[symbol] = original[symbol]
}

const REGISTERS = /^(on|on[A-Z]\w*|subscribe|withhold|host|relay)$/
const isClass = (value) => typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))

/** A listener, or an object of listeners. */
function wrapGiven(value, place) {
  if (typeof value === 'function') {
    return function (...args) {
      note(place, true)
      return Reflect.apply(value, this, args)
    }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const names = [...Object.keys(value), ...Object.getOwnPropertyNames(Object.getPrototypeOf(value) ?? {})]
  const methods = names.filter((name) => name !== 'constructor' && !(name in Object.prototype) && isMethod(value, name))
  if (methods.length === 0) return value
  const wrapped = methods.map((name) => [name, wrapGiven((...args) => value[name](...args), `${place} ${name}`)])
  return Object.fromEntries(wrapped)
}

// Getters, as of sockets, are not called.
const isMethod = (value, name) => {
  const owner = Object.hasOwn(value, name) ? value : Object.getPrototypeOf(value)
  return typeof Object.getOwnPropertyDescriptor(owner, name)?.value === 'function'
}

function patchClass(file, cls) {
  for (const name of Object.getOwnPropertyNames(cls.prototype)) {
    const { value, writable } = Object.getOwnPropertyDescriptor(cls.prototype, name)
    if (typeof value !== 'function' || !writable || !REGISTERS.test(name)) continue
    cls.prototype[name] = function (...args) {
      const site = callSite() ?? file
      const what = typeof args[0] === 'string' ? ` ${args[0].replace(/[0-9a-f-]{20,}/i, '…')}` : ''
      return Reflect.apply(
        value,
        this,
        args.map((arg) => wrapGiven(arg, `${cls.name}.${name}${what} at ${site}`)),
      )
    }
  }
}

// Separate programs, and code of other threads.
const NOT_LOADED = /(main|-worker|-thread)\.ts$|^commands\//
for (const file of readdirSync(join(ROOT, 'src'), { recursive: true })) {
  if (!file.endsWith('.ts') || NOT_LOADED.test(file)) continue
  const module = await import(join(ROOT, 'src', file))
  for (const exported of Object.values(module)) if (isClass(exported)) patchClass(file, exported)
}

// Channel through which the test controls the faults. It has no owner, and so never fails.
const control = createServer((request, response) => {
  const url = new URL(request.url, 'http://control')
  if (url.pathname === '/mode') {
    const kinds = url.searchParams.get('kinds')
    mode = kinds === null ? null : kinds.split(',')
    isThorough = url.searchParams.has('thorough')
  }
  response.end(JSON.stringify({ fired: [...fired], unowned: [...unowned] }))
})
AsyncLocalStorage.snapshot()(() =>
  control.listen(0, '127.0.0.1', () => process.stdout.write(`control ${control.address().port}\n`)),
)
control.unref()
