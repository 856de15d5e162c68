import type { SubmitEvent } from 'react'
import { Problem } from '../parts/problem.tsx'
import { messages } from '../base/messages.ts'

export function SignInPage(props: { problem: string | null; onKey: (apiKey: string) => void }) {
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    const value = new FormData(event.currentTarget).get('key')
    if (typeof value === 'string' && value.trim() !== '') props.onKey(value.trim())
  }
  return (
    <main id="content" className="sign-in">
      <h1>{messages.signIn.title}</h1>
      {props.problem && <Problem>{props.problem}</Problem>}
      <p>{messages.signIn.how}</p>
      <form onSubmit={submit} className="form">
        <label className="labelled">
          <span>{messages.signIn.orKey}</span>
          <input className="field" name="key" type="password" autoComplete="off" required />
          <span className="hint">{messages.signIn.stays}</span>
        </label>
        <button type="submit" className="button solid">
          {messages.signIn.submit}
        </button>
      </form>
    </main>
  )
}
