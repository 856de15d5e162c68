// Typical taiko code, with the port of `tabwire connect` and the URL of a form: `node drive.mjs <port> <form>`.
import { $, click, closeBrowser, evaluate, goto, into, openBrowser, write } from 'taiko'

const [port, form] = process.argv.slice(2)
await openBrowser({ host: '127.0.0.1', port: Number(port) })
await goto(form)
await write('Ada', into($('#user')))
await click($('[data-testid=go]'))
const said = await evaluate(() => document.querySelector('#out').textContent)
await closeBrowser()
process.stdout.write(JSON.stringify({ said }))
