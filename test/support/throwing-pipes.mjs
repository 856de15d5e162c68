import { Socket } from 'node:net'

// Loaded into a server by a test: listeners on a browser's pipe throw, or leave a rejection, when a page says so, each
// once; a signal makes a timer throw that belongs to nobody.
const emit = Socket.prototype.emit
const left = new Set(['throw', 'reject'])

Socket.prototype.emit = function (name, ...args) {
  const received = name === 'data' && Buffer.isBuffer(args[0]) ? args[0].toString('latin1') : ''
  // What the page wrote is on other sockets as well: that of the database, those of clients.
  const text = received.includes('"Runtime.consoleAPICalled"') ? received : ''
  if (text.includes('please-throw-now') && left.delete('throw')) throw new Error('thrown by a listener')
  if (text.includes('please-reject-now') && left.delete('reject')) void Promise.reject(new Error('left by a listener'))
  return emit.call(this, name, ...args)
}

process.on('SIGUSR2', () => {
  setTimeout(() => {
    throw new Error('thrown by a timer')
  })
})
