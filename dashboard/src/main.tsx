import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { signIn } from './sign-in.ts'
import './styles/base.css'
import './styles/parts.css'
import './styles/pages.css'
import { applyTheme, storedTheme } from './theme.ts'

applyTheme(storedTheme())
const signedIn = await signIn()
createRoot(document.querySelector('#root')!).render(<App signedIn={signedIn} />)
