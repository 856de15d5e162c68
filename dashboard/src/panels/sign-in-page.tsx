import type { SubmitEvent } from 'react'
import { Problem } from '../parts/problem.tsx'
import { texts } from '../texts.ts'

export function SignInPage(props: { problem: string | null; onKey: (apiKey: string) => void }) {
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    const value = new FormData(event.currentTarget).get('key')
    if (typeof value === 'string' && value.trim() !== '') props.onKey(value.trim())
  }
  return (
    <main id="content" className="sign-in">
      <h1>{texts.signIn.title}</h1>
      {props.problem && <Problem>{props.problem}</Problem>}
      <p>{texts.signIn.how}</p>
      <form onSubmit={submit} className="form">
        <label className="labelled">
          <span>{texts.signIn.orKey}</span>
          <input className="field" name="key" type="password" autoComplete="off" required />
          <span className="hint">{texts.signIn.stays}</span>
        </label>
        <button type="submit" className="button solid">
          {texts.signIn.submit}
        </button>
      </form>
    </main>
  )
}
