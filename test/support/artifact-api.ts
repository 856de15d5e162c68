import type { TestApp } from './start-app.ts'

export interface ArtifactData {
  id: string
  kind: string
  name: string
  contentType: string
  sizeBytes: number
  sha256: string
  pageId: string | null
  createdAt: string
  url: string
  viewerUrl: string | null
  session: { id: string }
}

export interface TicketData {
  url: string
  expiresAt: string
  artifactId: string
}

export const ARTIFACT = 'id kind name contentType sizeBytes sha256 pageId createdAt url viewerUrl session { id }'

/** Uploads, finds and deletes artifacts of an app that exists only once its tests run. */
export const artifactApi = (tabwire: () => TestApp) => ({
  /** Uploads a small file through the API. */
  async give(
    sessionId: string,
    bytes: string | Buffer,
    name: string,
    contentType?: string,
    apiKey?: string,
  ): Promise<ArtifactData> {
    const query = `mutation ($sessionId: ID!, $name: String!, $contentType: String, $base64: String!) {
      uploadArtifact(sessionId: $sessionId, name: $name, contentType: $contentType, base64: $base64) { ${ARTIFACT} } }`
    const base64 = Buffer.from(bytes).toString('base64')
    const variables = { sessionId, name, contentType, base64 }
    return (await tabwire().query<{ uploadArtifact: ArtifactData }>(query, variables, apiKey)).uploadArtifact
  },

  async ticket(sessionId: string, name: string, contentType?: string): Promise<TicketData> {
    const query = `mutation ($sessionId: ID!, $name: String!, $contentType: String) {
      createUpload(sessionId: $sessionId, name: $name, contentType: $contentType) { url expiresAt artifactId } }`
    const variables = { sessionId, name, contentType }
    return (await tabwire().query<{ createUpload: TicketData }>(query, variables)).createUpload
  },

  async find(id: string, apiKey?: string): Promise<ArtifactData | null> {
    const query = `query ($id: ID!) { node(id: $id) { ... on Artifact { ${ARTIFACT} } } }`
    return (await tabwire().query<{ node: ArtifactData | null }>(query, { id }, apiKey)).node
  },

  /** The same with a link that is valid for the given seconds. */
  async link(id: string, ttlSeconds: number): Promise<string> {
    const query = 'query ($id: ID!, $ttl: Int!) { node(id: $id) { ... on Artifact { url(ttlSeconds: $ttl) } } }'
    return (await tabwire().query<{ node: { url: string } }>(query, { id, ttl: ttlSeconds })).node.url
  },

  async remove(id: string): Promise<void> {
    await tabwire().query('mutation ($id: ID!) { deleteArtifact(id: $id) }', { id })
  },

  async usedBytes(): Promise<number> {
    return (await tabwire().query<{ viewer: { artifactBytes: number } }>('{ viewer { artifactBytes } }')).viewer
      .artifactBytes
  },
})
