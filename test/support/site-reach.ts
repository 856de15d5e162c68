/**
 * Pages that try every way to reach another host, `?host=`, each by a path of its own: that host's requests show
 * which ones succeeded.
 */
export const WAYS_OF_PAGES = [
  'fetch',
  'keepalive',
  'xhr',
  'image',
  'script',
  'style',
  'frame',
  'event-source',
  'beacon',
  'prefetch',
  'redirected',
  'worker',
  'worker-import',
  'shared-worker',
  'popup',
  'form',
  'web-socket',
  'ping',
  'preload',
  'module-preload',
  'module',
  'object',
  'embed',
  'video',
  'font',
  'style-import',
  'background',
  'svg-image',
] as const

const ATTACK = `<title>Reach</title><body><script>
  const host = new URLSearchParams(location.search).get('host')
  const to = (way) => 'http://' + host + '/' + way
  const quietly = (work) => Promise.resolve(work).catch(() => {})
  const add = (tag, members) => Object.assign(document.createElement(tag), members)
  const settled = (element, ...events) => new Promise((resolve) => {
    for (const event of ['load', 'error', ...events]) element.addEventListener(event, resolve)
    document.body.append(element)
  })
  const said = (worker) => new Promise((resolve) => { worker.onmessage = resolve; worker.onerror = resolve })
  const WAYS = {
    fetch: () => fetch(to('fetch'), { mode: 'no-cors' }),
    keepalive: () => fetch(to('keepalive'), { mode: 'no-cors', keepalive: true, method: 'POST', body: 'x' }),
    xhr: () => new Promise((resolve) => {
      const request = new XMLHttpRequest(); request.onloadend = resolve; request.open('GET', to('xhr')); request.send()
    }),
    image: () => settled(add('img', { src: to('image') })),
    script: () => settled(add('script', { src: to('script') })),
    style: () => settled(add('link', { rel: 'stylesheet', href: to('style') })),
    frame: () => settled(add('iframe', { src: to('frame') })),
    'event-source': () => new Promise((resolve) => {
      const source = new EventSource(to('event-source')); source.onerror = () => { source.close(); resolve() }
    }),
    beacon: () => navigator.sendBeacon(to('beacon'), 'x'),
    prefetch: () => settled(add('link', { rel: 'prefetch', href: to('prefetch') })),
    preconnect: () => { document.head.append(add('link', { rel: 'preconnect', href: to('') }), add('link', { rel: 'dns-prefetch', href: to('') })) },
    redirected: () => fetch('/redirect?to=' + encodeURIComponent(to('redirected')), { mode: 'no-cors' }),
    worker: () => { const worker = new Worker('/worker.js?host=' + host); return said(worker) },
    'shared-worker': () => { const worker = new SharedWorker('/shared-worker.js?host=' + host); worker.port.start(); return said(worker.port) },
    popup: () => { open(to('popup')) },
    form: () => {
      const form = add('form', { action: to('form'), method: 'post', target: '_blank' }); document.body.append(form); form.submit()
    },
    'web-socket': () => new Promise((resolve) => { new WebSocket('ws://' + host + '/web-socket').onclose = resolve }),
    ping: () => { const link = add('a', { href: '#', ping: to('ping') }); document.body.append(link); link.click() },
    preload: () => settled(add('link', { rel: 'preload', as: 'fetch', href: to('preload') })),
    'module-preload': () => settled(add('link', { rel: 'modulepreload', href: to('module-preload') })),
    module: () => import(to('module')),
    object: () => settled(add('object', { data: to('object') })),
    embed: () => settled(add('embed', { src: to('embed') })),
    video: () => settled(add('video', { src: to('video'), preload: 'auto' }), 'loadedmetadata'),
    font: () => new FontFace('reached', 'url(' + to('font') + ')').load(),
    'style-import': () => settled(add('style', { textContent: '@import url(' + to('style-import') + ')' })),
    background: () => { document.body.style.backgroundImage = 'url(' + to('background') + ')' },
    'svg-image': () => { document.body.insertAdjacentHTML('beforeend', '<svg><image href="' + to('svg-image') + '"/></svg>') },
    'web-rtc': async () => {
      const peer = new RTCPeerConnection({ iceServers: [{ urls: ['stun:' + host + ':3478', 'turn:' + host + ':3478?transport=udp', 'turn:' + host + ':3478?transport=tcp'], username: 'u', credential: 'c' }] })
      peer.createDataChannel('x')
      await peer.setLocalDescription(await peer.createOffer())
      await new Promise((resolve) => { peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && resolve() })
    },
  }
  onload = async () => {
    for (const way in WAYS) await quietly(WAYS[way]())
    console.log('tried everything')
  }
</script>`

const WORKER = `
  const host = new URLSearchParams(location.search).get('host')
  const tryAll = async (name) => {
    await fetch('http://' + host + '/' + name, { mode: 'no-cors' }).catch(() => {})
    try { if (name === 'worker') importScripts('http://' + host + '/worker-import') } catch {}
  }`

export const REACHING_PAGES = {
  '/attack': ATTACK,
  '/worker.js': `${WORKER}\ntryAll('worker').then(() => postMessage('done'))`,
  '/shared-worker.js': `${WORKER}\nonconnect = ({ ports: [port] }) => tryAll('shared-worker').then(() => port.postMessage('done'))`,
  '/plain': '<title>Plain</title>plain',
}
