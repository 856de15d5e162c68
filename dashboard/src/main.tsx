import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { liveLinkOf } from './live-view/live-link.ts'
import { LiveLinkPage } from './live-view/live-link-page.tsx'
import { signIn } from './sign-in/sign-in.ts'
import './styles/base.css'
import './styles/parts.css'
import './styles/pages.css'
import { applyTheme, storedTheme } from './base/theme.ts'

applyTheme(storedTheme())
const root = createRoot(document.querySelector('#root')!)
const link = liveLinkOf(location.hash)
// Opening such a link in a tab that already has the dashboard changes only the fragment.
addEventListener('hashchange', () => {
  const given = new URLSearchParams(location.hash.slice(1))
  if (given.has('code') || given.has('live')) location.reload()
})
root.render(link ? <LiveLinkPage link={link} /> : <App signedIn={await signIn()} />)
