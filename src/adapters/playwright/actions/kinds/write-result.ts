/**
 * Runs in the page: calls a script, awaits its result and serializes it. Of the page's own it uses nothing but
 * what the script returned: no method of a built-in object, which the page may have replaced, only syntax (spreading copies
 * members, `await` of a promise and calls of functions look nothing up). What it hands over has a `then` of its own, since the
 * browser would call the page's. A toJSON counts where an object brings it, not where all objects, arrays, maps … have got one.
 *
 * Each value that JSON knows is written as such. Others are lists, for no syntax tells what is an array or a date; the browser
 * does, of those that are `listed`: [0, members] is an object; [1, number, length, members, is an array] may be an array, of
 * which the page says 1 or 0, or 2 where it does not know; [2, number] may be a date; what toJSON made stands for itself.
 */
export const WRITE_RESULT = `function (value, isCalled, node, given, most, levels) {
  const STOP = { __proto__: null }
  const NAMES = { __proto__: null, '"': '\\\\"', '\\\\': '\\\\\\\\' }
  const HEX = '0123456789abcdef'
  for (let code = 0, characters = ${JSON.stringify(controls())}; code < 32; code++) {
    NAMES[characters[code]] = '\\\\u00' + (code < 16 ? '0' : '1') + HEX[code % 16]
  }
  const read = (find) => {
    try {
      return find()
    } catch {
      return undefined
    }
  }
  const ofDates = read(() => Date.prototype.toJSON)
  const ofMaps = read(() => Map.prototype.toJSON)
  const ofSets = read(() => Set.prototype.toJSON)
  const ofErrors = read(() => Error.prototype.toJSON)
  const isOfAll = (toJSON) =>
    toJSON === ({}).toJSON || toJSON === [].toJSON || toJSON === /x/.toJSON || toJSON === ofMaps || toJSON === ofSets || toJSON === ofErrors
  const knowsArrays = read(() => Array.isArray([]) === true && Array.isArray({ __proto__: null, length: 0 }) === false) === true
  const listed = { __proto__: null }
  let count = 0
  let spent = 0
  let why = ''
  const stop = (reason) => {
    why = reason
    throw STOP
  }
  const spend = (characters) => {
    spent += characters
    if (spent > most) stop('long')
  }
  const list = (one) => {
    listed[count] = one
    return count++
  }
  const quoted = (text) => {
    let written = '"'
    for (let at = 0; at < text.length; at++) {
      const unit = text[at]
      written += unit > '\\\\' ? unit : NAMES[unit] ?? unit
    }
    return written + '"'
  }
  const members = (copy, isCounted, levels, above) => {
    let written = ''
    for (const name in copy) {
      const member = write(name, copy[name], levels, above, true)
      if (member === undefined) continue
      if (isCounted) spend(name.length + 3)
      written += (written === '' ? '' : ',') + quoted(name) + ':' + member
    }
    return '{' + written + '}'
  }
  const write = (name, one, levels, above, asksToJSON) => {
    const type = typeof one
    if (type === 'string') {
      spend(one.length + 2)
      return quoted(one)
    }
    if (type === 'undefined' || type === 'function' || type === 'symbol') return undefined
    spend(1)
    if (type === 'boolean') return one ? 'true' : 'false'
    if (type === 'number') return one - one === 0 ? '' + one : 'null'
    if (type === 'bigint' || one === null) return 'null'
    const toJSON = asksToJSON ? one.toJSON : undefined
    if (typeof toJSON === 'function' && !isOfAll(toJSON)) {
      if (toJSON === ofDates) return '[2,' + list(one) + ']'
      return write(name, one.toJSON(name), levels, above, false)
    }
    if (levels === 0) stop('deep')
    for (let outer = above; outer !== null; outer = outer.above) if (outer.one === one) stop('circular')
    const here = { __proto__: null, one, above }
    const length = one.length
    const isArray = typeof length === 'number' && knowsArrays && read(() => Array.isArray(one)) === true
    if ((isArray || typeof one.BYTES_PER_ELEMENT === 'number') && length > most) stop('long')
    const copy = { __proto__: null, ...one }
    if (typeof length !== 'number' || 'length' in copy) return '[0,' + members(copy, true, levels - 1, here) + ']'
    const size = length - length === 0 ? '' + length : '0'
    return '[1,' + list(one) + ',' + size + ',' + members(copy, false, levels - 1, here) + ',' + (isArray ? 1 : knowsArrays ? 0 : 2) + ']'
  }
  const run = async (done, failed) => {
    try {
      const called = typeof value === 'function' ? (isCalled ? value(node, given) : value(given)) : value
      const text = write('', await called, levels, null, true) ?? 'null'
      done({ __proto__: null, text, listed })
    } catch (error) {
      if (error === STOP) done({ __proto__: null, why })
      else failed(error)
    }
  }
  return { __proto__: null, then(done, failed) { run(done, failed) } }
}`

/** All characters that JSON has no sign of its own for in a string. */
function controls(): string {
  return Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join('')
}
