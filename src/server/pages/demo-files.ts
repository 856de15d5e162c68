export const DEMO_PRODUCTS = {
  products: [
    { name: 'Desk lamp', price: '€39' },
    { name: 'Floor lamp', price: '€89' },
    { name: 'Armchair', price: '€240' },
  ],
}

const results = DEMO_PRODUCTS.products.map(
  ({ name, price }) => `<li class="result"><h2>${name}</h2><span class="price">${price}</span></li>`,
)

/**
 * A small shop with deliberate faults: something to watch and to control without a network. All its URLs are relative,
 * so that a proxy may serve the whole server below a path.
 */
export const DEMO_HTML = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Demo shop</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="style.css">
  </head>
  <body>
    <h1>Demo shop</h1>
    <p>This page logs to its console, throws, fails a request and opens a WebSocket, over and over, for you to watch.</p>
    <form id="search">
      <label>Search <input name="query" type="search" autocomplete="off"></label>
      <button>Search</button>
    </form>
    <ul id="results">${results.join('')}</ul>
    <button id="order" type="button">Order</button>
    <p id="status" role="status"></p>
    <script src="script.js"></script>
  </body>
</html>
`

export const DEMO_STYLE = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }
input, button { font: inherit; padding: 0.25rem 0.75rem; }
ul { display: flex; flex-wrap: wrap; gap: 1rem; padding: 0; list-style: none; }
.result { padding: 0.5rem 1rem; border: 1px solid; border-radius: 0.5rem; }
.result h2 { margin: 0; font-size: 1rem; }
`

export const DEMO_ORDER_FAILURE = {
  error: { reason: 'PAYMENT_FAILED', message: 'The payment provider did not respond. Order 42 was not placed.' },
}

export const DEMO_SCRIPT = `'use strict'

const STEP_MS = 1000
const status = document.querySelector('#status')
const items = [...document.querySelectorAll('.result')]
let turn = 0

async function load() {
  const response = await fetch('products.json')
  const { products } = await response.json()
  console.log('loaded ' + products.length + ' products')
}

function search(query) {
  const found = items.filter((item) => item.textContent.toLowerCase().includes(query.trim().toLowerCase()))
  document.querySelector('#results').replaceChildren(...found)
}

async function order() {
  const response = await fetch('orders/42')
  const { error } = await response.json()
  status.textContent = error.message
  console.error('order 42 failed: ' + error.reason)
}

function echo() {
  const socket = new WebSocket(new URL('echo', location.href).href.replace(/^http/, 'ws'))
  socket.addEventListener('open', () => socket.send('are the lamps in stock?'))
  socket.addEventListener('message', ({ data }) => {
    console.info('the WebSocket echoed: ' + data)
    socket.close(1000, 'done')
  })
}

function renderCart(cart) {
  status.textContent = cart.items.length + ' items'
}

const steps = [
  order,
  () => console.debug('the cart has not changed'),
  () => console.info('3 visitors are looking at lamps'),
  () => console.warn('the price list is 2 days old'),
  echo,
  // There is no cart.
  () => renderCart(undefined),
]

function next() {
  setTimeout(next, STEP_MS)
  steps[turn++ % steps.length]()
}

document.querySelector('#search').addEventListener('submit', (event) => {
  event.preventDefault()
  search(new FormData(event.target).get('query'))
})
document.querySelector('#order').addEventListener('click', order)
load().finally(next)
`
