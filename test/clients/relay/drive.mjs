// node drive.mjs <artifacts of relay-compiler> <endpoint> <API key> <URL of a page>: prints Relay's results as JSON.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createClient } from 'graphql-ws'
import relay from 'relay-runtime'
import WebSocket from 'ws'

const { commitMutation, Environment, fetchQuery, Network, Observable, RecordSource, requestSubscription, Store } = relay
const [artifacts, endpoint, apiKey, url] = process.argv.slice(2)
const headers = { 'x-api-key': apiKey }

const artifact = async (name) => (await import(pathToFileURL(join(artifacts, `${name}.graphql.js`)).href)).default

const socket = createClient({
  url: endpoint.replace('http', 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: headers,
})
const environment = new Environment({
  store: new Store(new RecordSource()),
  network: Network.create(
    async ({ text: query }, variables) => {
      const body = JSON.stringify({ query, variables })
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body,
      })
      return response.json()
    },
    ({ text: query }, variables) => Observable.create((sink) => socket.subscribe({ query, variables }, sink)),
  ),
})

const mutate = async (name, variables) => {
  const mutation = await artifact(name)
  return new Promise((onCompleted, onError) => {
    commitMutation(environment, { mutation, variables, onCompleted, onError })
  })
}

const { startSession } = await mutate('operationsStartMutation', { url })
const { id } = startSession
const seen = []
const { promise: ended, resolve: end } = Promise.withResolvers()
let isEnding = false
const subscription = await artifact('operationsWatchSubscription')
await new Promise((onCompleted, onError) => {
  requestSubscription(environment, {
    subscription,
    variables: { id },
    onCompleted,
    onError,
    onNext({ sessionEvents }) {
      for (const { __typename, text } of sessionEvents.entries) if (__typename === 'ConsoleMessage') seen.push(text)
      if (seen.length < 20 || isEnding) return
      isEnding = true
      end(mutate('operationsEndMutation', { id }))
    },
  })
})
const { terminateSession } = await ended
const { node } = await fetchQuery(environment, await artifact('operationsHistoryQuery'), { id }).toPromise()
await socket.dispose()
const kept = node.consoleMessages.edges.map((edge) => edge.node.text)
process.stdout.write(JSON.stringify({ started: startSession.status, ended: terminateSession.status, seen, kept }))
