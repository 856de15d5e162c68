import { loadConfig } from '../config.ts'
import { makeDirectory } from '../data-directory.ts'
import { rotateSigningKeys } from '../signing-keys-file.ts'
import { StartupFailed } from '../startup-failed.ts'
import { print } from './stdio.ts'
import { readOptions, type Command } from './cli.ts'

export const rotateKeys: Command = {
  name: 'signing-keys rotate',
  summary: 'create a new key that signs links',
  help: `Usage: tabwire signing-keys rotate [--drop-old]

Creates a new key, which signs links to artifacts and uploads from now on. Links that older keys signed work until they
expire, within seven days. A running server takes the new key within a second; it need not be restarted.

  --drop-old  forget the older keys: every link that was given out stops working. For when a key or links leaked.

The keys are in <data dir>/signing-keys, the newest first. Where TABWIRE_SIGNING_KEYS is set, put the new key before
the others there instead, and restart the server.`,

  async run(args) {
    const { values } = readOptions(args, { 'drop-old': { type: 'boolean', default: false } })
    const config = loadConfig(process.env)
    if (config.cluster && !process.env['TABWIRE_SIGNING_KEYS']) {
      throw new StartupFailed('The keys are derived from TABWIRE_CLUSTER_SECRET: put a new secret before it there.')
    }
    if (config.signingKeys) {
      throw new StartupFailed('The keys are those in TABWIRE_SIGNING_KEYS: put the new one before them there.')
    }
    await makeDirectory(config.dataDir)
    const count = await rotateSigningKeys(config.dataDir, { dropOld: values['drop-old'] })
    const older = count === 1 ? 'No older key is left.' : `Links of the ${count - 1} before it work until they expire.`
    print(`Created a new signing key. ${older}`)
    return 0
  },
}
