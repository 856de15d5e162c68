import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { leakGate } from '../../support/leak-gate.ts'
import { openSilentPort } from '../../support/silent-port.ts'
import { answerTo, echo, EgressStage, NONE, OPEN, PUBLIC, type Browser } from './egress-stage.ts'
import type { Records } from './name-server.ts'
import { through } from './socks-client.ts'

leakGate()
const stage = new EgressStage()

/** "NotAllowed", or the received word. */
async function tried(port: number, host: string, target: number): Promise<string> {
  try {
    return await answerTo(await through(port, host, target), 'through')
  } catch (error) {
    return (error as Error).message
  }
}

/** The blocking rule, the code of another failure, or null, in order. Outcomes arrive on a separate channel. */
async function failures({ outcomes }: Browser, count: number): Promise<(string | null)[]> {
  await expect.poll(() => outcomes.length).toBe(count)
  return outcomes.map(({ failure }) => failure && (failure.rule ?? failure.code))
}

describe('a name', () => {
  test('is resolved once, and the address that was judged is the one connected to', async () => {
    const target = await stage.serve(echo)
    // Each query gets another address.
    const answers = new Map<string, number>()
    const server = await stage.names((name) => {
      const count = (answers.get(name) ?? 0) + 1
      answers.set(name, count)
      return count <= 2 ? ['127.0.0.1'] : ['127.0.0.2']
    })
    const browser = await stage.browser({ ...PUBLIC, allow: ['127.0.0.1'] }, { dnsServers: [server.address] })
    expect(await tried(browser.port, 'rebound.test', target)).toBe('through')
    expect(server.questions.sort()).toEqual(['A rebound.test', 'AAAA rebound.test'])
    await failures(browser, 1)
    expect(browser.outcomes[0]).toMatchObject({
      host: 'rebound.test',
      dnsMs: expect.any(Number),
      peer: { address: '127.0.0.1', port: target },
    })
    // The next connection is checked by its own address.
    expect(await tried(browser.port, 'rebound.test', target)).toBe('NotAllowed')
    expect(await failures(browser, 2)).toEqual([null, 'loopback address'])
  })

  test('that leads to a public address of the machine itself is blocked', async () => {
    const own = ['93.184.216.77', '2606:4700:0:0:0:0:0:77']
    const server = await stage.names((name) => (name === 'own.test' ? own : null))
    const options = { dnsServers: [server.address], ownAddresses: own }
    const browser = await stage.browser(PUBLIC, options)
    for (const host of ['own.test', ...own, '::ffff:93.184.216.77']) {
      expect([host, await tried(browser.port, host, 80)]).toEqual([host, 'NotAllowed'])
    }
    expect(new Set(await failures(browser, 4))).toEqual(new Set(['own address']))
    const upstream = await stage.browser({ ...PUBLIC, upstream: { url: 'socks5://own.test:80' } }, options)
    expect(await tried(upstream.port, '93.184.215.14', 80)).toBe('NotAllowed')
    expect(await failures(upstream, 1)).toEqual(['proxy: own address'])
  })

  test('that leads to private or metadata addresses is blocked, aliases and mixtures included', async () => {
    const target = await stage.serve(echo)
    const records: Record<string, Records> = {
      'private.test': ['10.0.0.1'],
      'loopback.test': ['127.0.0.1', '0:0:0:0:0:0:0:1'],
      'mapped.test': ['0:0:0:0:0:ffff:7f00:1'],
      'nat64.test': ['64:ff9b:0:0:0:0:a9fe:a9fe'],
      'alias.test': { alias: 'loopback.test' },
      'metadata.test': ['169.254.169.254'],
      'link.test': ['fe80:0:0:0:0:0:0:1'],
    }
    const server = await stage.names((name) => records[name] ?? null)
    const browser = await stage.browser(PUBLIC, { dnsServers: [server.address] })
    for (const name of Object.keys(records)) expect(await tried(browser.port, name, target)).toBe('NotAllowed')
    expect(await failures(browser, 7)).toEqual([
      'private address',
      'loopback address',
      'loopback address',
      'cloud metadata',
      'loopback address',
      'cloud metadata',
      'link-local address',
    ])
  })

  test('with several addresses leads to those that may be opened', async () => {
    const target = await stage.serve(echo)
    const server = await stage.names(() => ['169.254.169.254', '127.0.0.2', '127.0.0.1', 'fe80:0:0:0:0:0:0:1'])
    const browser = await stage.browser({ ...PUBLIC, allow: ['127.0.0.1'] }, { dnsServers: [server.address] })
    expect(await tried(browser.port, 'mixed.test', target)).toBe('through')
    await expect.poll(() => browser.outcomes.map(({ peer }) => peer?.address)).toEqual(['127.0.0.1'])
  })

  test('leads to the first address that answers', async () => {
    const target = await stage.serve(echo)
    const silent = stage.own(await openSilentPort(), (opened) => opened.close())
    const server = await stage.names((name) =>
      // Nothing listens on [::1], and the silent port of 127.0.0.1 accepts no connections.
      name === 'dual.test' ? ['0:0:0:0:0:0:0:1', '127.0.0.1'] : ['127.0.0.1', '127.0.0.2'],
    )
    const browser = await stage.browser(OPEN, {
      dnsServers: [server.address],
      limits: { staggerMs: 20, connectMs: 60_000 },
    })
    expect(await tried(browser.port, 'dual.test', target)).toBe('through')
    // Refused on 127.0.0.2, but 127.0.0.1 may still respond: it is not given up before its timeout.
    const pending = through(browser.port, 'slow.test', silent.port)
    silent.wake()
    ;(await pending).destroy()
    await expect.poll(() => browser.outcomes.map(({ peer }) => peer?.address)).toEqual(['127.0.0.1', '127.0.0.1'])
  })

  test('is remembered as long as the DNS says, by one browser', async () => {
    const target = await stage.serve(echo)
    const server = await stage.names(() => ['127.0.0.1'], 300)
    const egress = stage.egress({ dnsServers: [server.address] })
    const [one, other] = [await stage.browser(OPEN, egress), await stage.browser(OPEN, egress)]
    await Promise.all([1, 2, 3].map(() => tried(one.port, 'site.test', target)))
    expect(await tried(one.port, 'SITE.test', target)).toBe('through')
    expect(server.questions).toHaveLength(2)
    expect(await tried(other.port, 'site.test', target)).toBe('through')
    expect(server.questions).toHaveLength(4)
  })

  test('that nobody knows, or no server tells in time, is told as not resolved', async () => {
    const server = await stage.names((name) =>
      name === 'silent.test' ? 'silence' : name === 'broken.test' ? 'failure' : null,
    )
    const browser = await stage.browser(OPEN, { dnsServers: [server.address], limits: { dnsMs: 150 } })
    for (const name of ['unknown.test', 'silent.test', 'broken.test', 'a..b', 'exa mple', '999.999.999.999']) {
      expect(await tried(browser.port, name, 80)).toBe('HostUnreachable')
    }
    expect(new Set(await failures(browser, 6))).toEqual(new Set(['NAME_NOT_RESOLVED']))
    expect(browser.outcomes[0]!.failure!.netError).toBe('net::ERR_NAME_NOT_RESOLVED')
  })

  test('that is blocked anyway is not asked for', async () => {
    const server = await stage.names(() => ['127.0.0.1'])
    const egress = stage.egress({ dnsServers: [server.address] })
    const none = await stage.browser({ ...NONE, allow: ['allowed.test'] }, egress)
    const narrowed = await stage.browser({ ...OPEN, allowedHosts: ['*.allowed.test'] }, egress)
    for (const name of ['secret.leaks.test', 'localhost.test', 'metadata.google.internal']) {
      expect(await tried(none.port, name, 80)).toBe('NotAllowed')
      expect(await tried(narrowed.port, name, 80)).toBe('NotAllowed')
    }
    expect(server.questions).toEqual([])
    expect(await failures(none, 3)).toEqual(['none', 'none', 'cloud metadata'])
    expect(await failures(narrowed, 3)).toEqual(['allowedHosts', 'allowedHosts', 'cloud metadata'])
  })
})

test('names of this machine: localhost, the hosts file, the search domains', async () => {
  const target = await stage.serve(echo)
  const directory = stage.own(await mkdtemp(join(tmpdir(), 'tabwire-names-')), (path) => rm(path, { recursive: true }))
  const [hostsPath, resolvConfPath] = [join(directory, 'hosts'), join(directory, 'resolv.conf')]
  await writeFile(hostsPath, '# a comment\n127.0.0.1 Database db.internal # one more\nnonsense\n')
  await writeFile(resolvConfPath, 'nameserver 192.0.2.1\nsearch corp.test other.test.\noptions timeout:1 ndots:2\n')
  const server = await stage.names((name) => (name === 'wiki.other.test' || name === 'a.b.c' ? ['127.0.0.1'] : null))
  const browser = await stage.browser(OPEN, { dnsServers: [server.address], hostsPath, resolvConfPath })
  for (const name of ['localhost', 'x.LOCALHOST', 'database', 'DB.internal']) {
    expect(await tried(browser.port, name, target)).toBe('through')
  }
  expect(server.questions).toEqual([])
  expect(await tried(browser.port, 'wiki', target)).toBe('through')
  expect(server.questions.filter((question) => question.startsWith('A '))).toEqual([
    'A wiki.corp.test',
    'A wiki.other.test',
  ])
  expect(await tried(browser.port, 'a.b.c', target)).toBe('through')
  // A trailing dot: exactly this name.
  expect(await tried(browser.port, 'wiki.', target)).toBe('HostUnreachable')
  expect(server.questions.filter((question) => question.startsWith('A ')).slice(2)).toEqual(['A a.b.c', 'A wiki'])
})

describe('what a policy lets through', () => {
  const cases: [string, Partial<Parameters<EgressStage['browser']>[0]>, [host: string, rule: string | null][]][] = [
    [
      'open',
      OPEN,
      [
        ['127.0.0.1', null],
        ['localhost', null],
        ['2130706433', null],
        ['::ffff:127.0.0.1', null],
      ],
    ],
    [
      'public',
      PUBLIC,
      [
        ['127.0.0.1', 'loopback address'],
        ['127.1', 'loopback address'],
        ['0x7f.1', 'loopback address'],
        ['::1', 'loopback address'],
        ['::ffff:7f00:1', 'loopback address'],
        ['10.0.0.1', 'private address'],
        ['224.0.0.1', 'reserved address'],
      ],
    ],
    [
      'public and an address',
      { ...PUBLIC, allow: ['127.0.0.0/8'] },
      [
        ['127.0.0.1', null],
        ['017700000001', null],
        ['localhost', null],
        ['10.0.0.1', 'private address'],
      ],
    ],
    [
      'public and a name',
      { ...PUBLIC, allow: ['localhost'] },
      [
        ['localhost', null],
        ['LocalHost.', null],
        ['127.0.0.1', 'loopback address'],
      ],
    ],
    [
      'none',
      NONE,
      [
        ['127.0.0.1', 'none'],
        ['8.8.8.8', 'none'],
        ['localhost', 'none'],
      ],
    ],
    [
      'none and a name',
      { ...NONE, allow: ['localhost'] },
      [
        ['localhost', null],
        ['127.0.0.1', 'none'],
      ],
    ],
    [
      'open, narrowed',
      { ...OPEN, allowedHosts: ['localhost'] },
      [
        ['localhost', null],
        ['127.0.0.1', 'allowedHosts'],
      ],
    ],
    [
      'public, narrowed: no leave',
      { ...PUBLIC, allowedHosts: ['localhost', '127.0.0.1'] },
      [
        ['localhost', 'loopback address'],
        ['127.0.0.1', 'loopback address'],
        ['8.8.8.8', 'allowedHosts'],
      ],
    ],
    [
      'narrowed to nothing',
      { ...OPEN, allowedHosts: [] },
      [
        ['localhost', 'allowedHosts'],
        ['127.0.0.1', 'allowedHosts'],
      ],
    ],
    [
      'everything allowed',
      { ...OPEN, allow: ['0.0.0.0/0', '::/0', '169.254.169.254', 'metadata'] },
      [
        ['169.254.169.254', 'cloud metadata'],
        ['0xa9fea9fe', 'cloud metadata'],
        ['[::ffff:169.254.169.254]', 'cloud metadata'],
        ['169.254.1.1', 'link-local address'],
        ['fe80::1%lo', 'link-local address'],
        ['fd00:ec2::254', 'cloud metadata'],
        ['100.100.100.200', 'cloud metadata'],
        ['metadata', 'cloud metadata'],
        ['METADATA.google.internal.', 'cloud metadata'],
      ],
    ],
  ]

  test('by mode, by what is allowed, by what it is narrowed to', async () => {
    const target = await stage.serve(echo)
    const egress = stage.egress()
    for (const [name, policy, hosts] of cases) {
      const browser = await stage.browser({ ...OPEN, ...policy }, egress)
      for (const [host] of hosts) await tried(browser.port, host, target)
      expect([name, await failures(browser, hosts.length)]).toEqual([name, hosts.map(([, rule]) => rule)])
    }
    const { port } = await stage.browser({ ...PUBLIC, allow: [`127.0.0.1:${target}`] }, egress)
    expect(await tried(port, '127.0.0.1', target)).toBe('through')
    expect(await tried(port, '127.0.0.1', target + 1)).toBe('NotAllowed')
  })
})
