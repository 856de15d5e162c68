import { Socket } from 'node:net'

// Preloaded into a server by a test: listeners on a browser's pipe throw or reject when a page logs a command, each
// once; a signal makes a timer without an owner throw.
const emit = Socket.prototype.emit
const left = new Set(['throw', 'reject'])

Socket.prototype.emit = function (name, ...args) {
  const received = name === 'data' && Buffer.isBuffer(args[0]) ? args[0].toString('latin1') : ''
  // Text from the page is also on other sockets: that of the database, those of clients.
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
