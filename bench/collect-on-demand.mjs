// Loaded into the server under test before anything else: collects garbage when the benchmarks ask for it.
import { setImmediate as turn } from 'node:timers/promises'

process.on('message', (message) => {
  if (message !== 'collect') return
  void (async () => {
    // What one collection frees may, through finalizers and closed handles, let go of more.
    for (let round = 0; round < 4; round += 1) {
      globalThis.gc()
      await turn()
    }
    process.send('collected')
  })()
})
// It must not keep the server alive.
process.channel?.unref()
