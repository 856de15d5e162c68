import { useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import { Provider, useQuery } from 'urql'
import { Api } from './api/api.ts'
import { Overview } from './api/operations.ts'
import { SessionPage } from './session/session-page.tsx'
import { SessionsPage } from './sessions/sessions-page.tsx'
import { SignInPage } from './sign-in/sign-in-page.tsx'
import { hrefOf, linkTo, useRoute } from './base/route.ts'
import { SessionList } from './sessions/session-list.ts'
import { forgetKey, keepKey, onSignIn, type SignInOutcome } from './sign-in/sign-in.ts'
import { messages } from './base/messages.ts'
import { keepTheme, storedTheme, THEMES, type Theme } from './base/theme.ts'

export function App({ signedIn }: { signedIn: SignInOutcome }) {
  const [{ apiKey, problem }, setSignedIn] = useState(signedIn)
  useEffect(() => onSignIn((stored) => setSignedIn({ apiKey: stored, problem: null })), [])
  const signOut = (why: string | null) => {
    if (apiKey !== null) forgetKey(apiKey)
    setSignedIn({ apiKey: null, problem: why })
  }
  if (apiKey === null) {
    return (
      <SignInPage
        problem={problem}
        onKey={(key) => {
          keepKey(key)
          setSignedIn({ apiKey: key, problem: null })
        }}
      />
    )
  }
  return <SignedIn key={apiKey} apiKey={apiKey} onSignOut={signOut} />
}

function SignedIn({ apiKey, onSignOut }: { apiKey: string; onSignOut: (why: string | null) => void }) {
  const api = useMemo(() => new Api(apiKey), [apiKey])
  const list = useMemo(() => new SessionList(api), [api])
  const route = useRoute()
  const state = useSyncExternalStore(api.subscribe, api.state)
  useEffect(() => {
    list.start()
    return () => {
      list.stop()
      api.close()
    }
  }, [api, list])
  useEffect(() => {
    if (state === 'refused') onSignOut(messages.signIn.refused)
  })
  return (
    <Provider value={api.client}>
      <a className="skip" href="#content">
        {messages.header.skip}
      </a>
      <Header list={list} state={state} onSignOut={() => onSignOut(null)} />
      {route.session === null ? (
        <SessionsPage list={list} />
      ) : (
        <SessionPage key={route.session} api={api} id={route.session} panel={route.panel} />
      )}
    </Provider>
  )
}

function Header(props: { list: SessionList; state: ReturnType<Api['state']>; onSignOut: () => void }) {
  return (
    <header className="header">
      <a className="brand" {...linkTo(hrefOf({ session: null }))}>
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M5 21h6l4-11 5 14 3-8h4" />
        </svg>
        {messages.name}
      </a>
      <span className="connection" data-state={props.state} role="status">
        {messages.connection[props.state]}
      </span>
      <Slots list={props.list} />
      <span className="bar-gap" />
      <a href="graphiql" target="_blank" rel="noreferrer">
        {messages.header.graphiql}
      </a>
      <a href="graphiql#docs" target="_blank" rel="noreferrer">
        {messages.header.schema}
      </a>
      <ThemeChoice />
      <button type="button" className="button quiet" onClick={props.onSignOut}>
        {messages.signIn.out}
      </button>
    </header>
  )
}

/** Refetched whenever a session has started or ended. */
function Slots({ list }: { list: SessionList }) {
  useSyncExternalStore(list.changes.subscribe, list.changes.version)
  const [{ data }, refetch] = useQuery({ query: Overview })
  const statuses = list.statuses()
  useEffect(() => {
    // Debounced: related changes, such as a browser and its successor in the pool, need one query.
    const timer = setTimeout(() => refetch(), 500)
    return () => clearTimeout(timer)
  }, [refetch, statuses])
  if (!data) return null
  const { live, total, warm, queued } = data.capacity
  return (
    <span className="slots faint">
      {messages.header.capacity(live, total)} · {messages.header.warm(warm)}
      {queued > 0 && ` · ${messages.header.queued(queued)}`}
    </span>
  )
}

function ThemeChoice() {
  const [theme, setTheme] = useState(storedTheme)
  return (
    <select
      className="field theme"
      aria-label={messages.header.theme}
      value={theme}
      onChange={(event) => {
        const chosen = event.target.value as Theme
        keepTheme(chosen)
        setTheme(chosen)
      }}
    >
      {THEMES.map((one) => (
        <option key={one} value={one}>
          {messages.header.themes[one]}
        </option>
      ))}
    </select>
  )
}
