import { createServer, type Server } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from 'jose'
import Provider from 'oidc-provider'
import { freePort } from './free-port.ts'

export const AUDIENCE = 'https://tabwire.test'

/** A real OpenID Connect provider on a local socket, with rotating keys and simulated downtime. */
export interface IdentityProvider {
  readonly issuer: string
  /** Number of requests for its keys so far. */
  readonly keyRequests: number
  /** An access token from its token endpoint, for a client of that name. */
  token(subject: string, scope: string, ttlSeconds?: number): Promise<string>
  /** A token with exactly these claims, signed with its current key. */
  sign(claims: JWTPayload, header?: Record<string, string>): Promise<string>
  /** Switches to a new key, and publishes only that. */
  rotate(): Promise<void>
  /** Stops listening until it is resumed. */
  stop(): Promise<void>
  resume(): Promise<void>
  close(): Promise<void>
}

interface SigningKey {
  kid: string
  privateKey: CryptoKey
  jwk: object
}

async function newKey(kid: string): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  return { kid, privateKey, jwk: { ...(await exportJWK(privateKey)), kid, alg: 'RS256', use: 'sig' } }
}

const SECRET = 'a client secret of the tests alone'

function createProvider(issuer: string, key: SigningKey, clients: readonly string[], ttlSeconds: () => number) {
  const provider = new Provider(issuer, {
    jwks: { keys: [key.jwk] },
    clients: clients.map((client_id) => ({
      client_id,
      client_secret: SECRET,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    })),
    scopes: ['READ', 'WRITE', 'CONNECT', 'KEYS', 'ADMIN', 'read', 'email'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, audience) => ({
          scope: 'READ WRITE CONNECT KEYS ADMIN read email',
          audience,
          accessTokenTTL: ttlSeconds(),
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  })
  return provider.callback()
}

export async function startIdentityProvider(clients: readonly string[]): Promise<IdentityProvider> {
  let listener: Server
  let key = await newKey('first')
  let keys = 1
  let keyRequests = 0
  let ttlSeconds = 300
  let handle: ReturnType<typeof createProvider> | null = null

  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      listener = createServer((request, response) => {
        if (request.url?.startsWith('/jwks')) keyRequests += 1
        void handle!(request, response)
      })
      listener.once('error', reject)
      listener.listen(port, '127.0.0.1', resolve)
    })
  const stop = () =>
    new Promise<void>((resolve) => {
      listener.close(() => resolve())
      listener.closeAllConnections()
    })

  const port = await freePort()
  await listen(port)
  const issuer = `http://127.0.0.1:${port}`
  const publish = () => (handle = createProvider(issuer, key, clients, () => ttlSeconds))
  publish()

  return {
    issuer,
    get keyRequests() {
      return keyRequests
    },
    async token(subject, scope, ttl = 300) {
      ttlSeconds = ttl
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          authorization: `Basic ${btoa(`${encodeURIComponent(subject)}:${encodeURIComponent(SECRET)}`)}`,
        },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope, resource: AUDIENCE }),
      })
      const { access_token: token } = (await response.json()) as { access_token?: string }
      if (!token) throw new Error(`the provider gave no token: HTTP ${response.status}`)
      return token
    },
    sign: (claims, header) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: key.kid, ...header }).sign(key.privateKey),
    async rotate() {
      key = await newKey(`key ${(keys += 1)}`)
      publish()
    },
    stop,
    resume: () => listen(port),
    close: stop,
  }
}
