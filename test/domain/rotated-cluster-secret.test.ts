import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { BodyCipher } from '../../src/domain/bodies/body-cipher.ts'
import { SignedLinks } from '../../src/domain/links/signed-links.ts'
import { ProfileCipher } from '../../src/domain/profiles/profile-cipher.ts'
import { MachineSecret } from '../../src/domain/remote/machine-secret.ts'
import { StartCipher } from '../../src/domain/starts/start-cipher.ts'

/** TABWIRE_CLUSTER_SECRET is replaced as docs/operating.md says: on one machine after another, three times. */

const OLD = 'the-old-secret-of-32-characters-or-more'
const NEW = 'the-new-secret-of-32-characters-or-more'
const STEPS = [OLD, `${OLD},${NEW}`, `${NEW},${OLD}`, NEW]
/** While a step is under way, machines have the secrets before it and after it. */
const PAIRS = STEPS.slice(1).flatMap((after, index) => [
  [STEPS[index]!, after],
  [after, STEPS[index]!],
])

const OWNER = { owner: 'ann', name: 'shop' }
const RECORD = { id: 'of-a-session', owner: 'ann' }
const CONTENT = Buffer.from('content')
const KEYS = { isValid: async () => true, onInvalid: () => () => {} }

/** What a machine with these secrets signs and encrypts with. */
function machineWith(secrets: string) {
  const { cluster, signingKeys, profileKeys, bodyKeys } = loadConfig({
    NATS_URL: 'nats://127.0.0.1',
    DATABASE_URL: 'postgres://db/tabwire',
    TABWIRE_S3_BUCKET: 'tabwire',
    TABWIRE_CLUSTER_SECRET: secrets,
    TABWIRE_INTERNAL_URL: 'http://10.0.0.1:4000',
  })
  return {
    links: new SignedLinks(
      () => signingKeys!,
      () => '',
      KEYS,
    ),
    profiles: new ProfileCipher(profileKeys!),
    starts: new StartCipher(profileKeys!),
    bodies: new BodyCipher(bodyKeys!),
    calls: new MachineSecret(cluster!.machineKeys),
  }
}

type Machine = ReturnType<typeof machineWith>

/** Which of the things that the one has made are good at the other. */
async function goodAt(other: Machine, one: Machine): Promise<string[]> {
  const terms = { maker: 'key:of-ann', expiresAt: Math.ceil(Date.now() / 1000 + 600) * 1000 }
  const attempts: Record<string, () => unknown> = {
    link: () => other.links.read('cdp', ['s'], one.links.sign('cdp', ['s'], terms)),
    profile: () => other.profiles.open(OWNER, one.profiles.seal(OWNER, CONTENT)),
    start: () => other.starts.open(RECORD, one.starts.seal(RECORD, {})),
    body: () => other.bodies.decrypt('ann', one.bodies.encrypt('ann', CONTENT)),
    call: () => other.calls.open('call', one.calls.seal('call', CONTENT)),
    connection: () => other.calls.verify('challenge', 'text', one.calls.sign('challenge', 'text')),
  }
  const good: string[] = []
  for (const [name, attempt] of Object.entries(attempts)) {
    const result = await Promise.resolve()
      .then(attempt)
      .catch(() => null)
    if (result) good.push(name)
  }
  return good
}

const ALL = ['link', 'profile', 'start', 'body', 'call', 'connection']

test.each(PAIRS)('what a machine with %s makes is good at one with %s', async (one, other) => {
  expect(await goodAt(machineWith(other), machineWith(one))).toEqual(ALL)
})

test('after the last step, nothing that was made with the old secret alone is good', async () => {
  expect(await goodAt(machineWith(NEW), machineWith(OLD))).toEqual([])
  expect(await goodAt(machineWith(`${NEW},${OLD}`), machineWith(OLD))).toEqual(ALL)
})
