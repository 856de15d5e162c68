// Preloaded into the server under test: collects garbage when a benchmark requests it.
import { setImmediate as turn } from 'node:timers/promises'

process.on('message', (message) => {
  if (message !== 'collect') return
  void (async () => {
    // A collection may release more through finalizers and closed handles.
    for (let round = 0; round < 4; round += 1) {
      globalThis.gc()
      await turn()
    }
    process.send('collected')
  })()
})
// It must not keep the server alive.
process.channel?.unref()
