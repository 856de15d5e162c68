import { Dialog } from '@base-ui/react/dialog'
import { useRef, useState, type SubmitEvent, type ReactNode } from 'react'
import { useMutation, useQuery } from 'urql'
import { Profiles, StartSession } from '../api/operations.ts'
import { Problem } from '../parts/problem.tsx'
import { issuesOf, sentenceFor, type Issue } from '../api/errors.ts'
import { go, hrefOf } from '../base/route.ts'
import { messages } from '../base/messages.ts'

const RECORDS = ['VIDEO', 'TRACE', 'HAR'] as const

export function StartDialog() {
  const [open, setOpen] = useState(false)
  return (
    <Dialog.Root open={open} onOpenChange={setOpen}>
      <Dialog.Trigger className="button solid">{messages.list.start}</Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog">
          <Dialog.Title className="dialog-title">{messages.start.title}</Dialog.Title>
          <StartForm />
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

function StartForm() {
  const [{ fetching, error }, start] = useMutation(StartSession)
  const [{ data: profiles }] = useQuery({ query: Profiles })
  const [keepAlive, setKeepAlive] = useState(false)
  const prompt = useRef<HTMLInputElement>(null)
  const suggestDemo = () => {
    if (!prompt.current) return
    prompt.current.value = new URL('demo/', document.baseURI).href
    prompt.current.focus()
  }
  const issues = error ? issuesOf(error) : []
  const placed = new Set<Issue>()
  const issueAt = (member: string): string | null => {
    const found = issues.filter(({ path }) => path.includes(member))
    for (const issue of found) placed.add(issue)
    return found.length > 0 ? found.map(({ message }) => message).join(' ') : null
  }

  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    void start({ input: inputOf(new FormData(event.currentTarget)) }).then(({ data }) => {
      if (data) go(hrefOf({ session: data.startSession.id }))
    })
  }

  const fields = (
    <>
      <Labelled label={messages.start.prompt} hint={messages.start.promptHint} issue={issueAt('initialPrompt')}>
        <input ref={prompt} className="field" name="initialPrompt" autoComplete="off" spellCheck={false} />
      </Labelled>
      <button type="button" className="button quiet" onClick={suggestDemo}>
        {messages.start.useDemo}
      </button>
      <Labelled label={messages.start.name} issue={issueAt('name')}>
        <input className="field" name="name" autoComplete="off" />
      </Labelled>
      <div className="form-row">
        <Labelled label={messages.start.width} issue={issueAt('viewport')}>
          <input className="field" name="width" type="number" defaultValue={1280} required />
        </Labelled>
        <Labelled label={messages.start.height} issue={null}>
          <input className="field" name="height" type="number" defaultValue={800} required />
        </Labelled>
      </div>
      <fieldset className="form-choices">
        <legend>{messages.start.record}</legend>
        {RECORDS.map((kind) => (
          <label key={kind}>
            <input type="checkbox" name="record" value={kind} /> {messages.start.records[kind]}
          </label>
        ))}
        <Note issue={issueAt('record')} />
      </fieldset>
      <div className="form-choices">
        <label>
          <input type="checkbox" name="screenshot" /> {messages.start.screenshot}
        </label>
        <label>
          <input
            type="checkbox"
            name="keepAlive"
            checked={keepAlive}
            onChange={(event) => setKeepAlive(event.target.checked)}
          />{' '}
          {messages.start.keepAlive}
        </label>
      </div>
      <div className="form-row">
        <Labelled label={messages.start.idle} issue={issueAt('idleTimeoutSeconds')}>
          <input className="field" name="idleTimeoutSeconds" type="number" defaultValue={600} disabled={keepAlive} />
        </Labelled>
        <Labelled label={messages.start.maxDuration} issue={issueAt('maxDurationSeconds')}>
          <input className="field" name="maxDurationSeconds" type="number" defaultValue={3600} />
        </Labelled>
      </div>
      <details className="form-more">
        <summary>{messages.start.more}</summary>
        <Labelled label={messages.start.profile} issue={issueAt('profileId')}>
          <select className="field" name="profileId">
            <option value="">{messages.start.noProfile}</option>
            {profiles?.viewer.profiles.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </Labelled>
        <div className="form-row">
          <Labelled label={messages.start.locale} issue={issueAt('locale')}>
            <input className="field" name="locale" placeholder="de-CH" autoComplete="off" />
          </Labelled>
          <Labelled label={messages.start.timezone} issue={issueAt('timezone')}>
            <input className="field" name="timezone" placeholder="Europe/Zurich" autoComplete="off" />
          </Labelled>
        </div>
        <Labelled label={messages.start.userAgent} issue={issueAt('userAgent')}>
          <input className="field" name="userAgent" autoComplete="off" />
        </Labelled>
        <div className="form-choices">
          {FLAGS.map((flag) => (
            <label key={flag}>
              <input type="checkbox" name={flag} /> {messages.start.flags[flag]}
            </label>
          ))}
        </div>
      </details>
    </>
  )
  // Issues already shown beside a field are not repeated.
  const isSaid = issues.length > 0 && issues.every((issue) => placed.has(issue))
  return (
    <form onSubmit={submit} noValidate className="form">
      {fields}
      {error && !isSaid && <Problem>{sentenceFor(error)}</Problem>}
      <div className="dialog-actions">
        <Dialog.Close className="button">{messages.cancel}</Dialog.Close>
        <button type="submit" className="button solid" disabled={fetching}>
          {fetching ? messages.start.starting : messages.start.submit}
        </button>
      </div>
    </form>
  )
}

const FLAGS = ['isMobile', 'hasTouch', 'ignoreHttpsErrors', 'offline'] as const

function inputOf(form: FormData) {
  const text = (name: string) => {
    const value = form.get(name)
    return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined
  }
  const number = (name: string) => {
    const value = text(name)
    return value === undefined ? undefined : Math.trunc(Number(value))
  }
  return {
    initialPrompt: text('initialPrompt'),
    name: text('name'),
    viewport: { width: number('width') ?? 0, height: number('height') ?? 0 },
    record: RECORDS.filter((kind) => form.getAll('record').includes(kind)),
    screenshot: form.has('screenshot'),
    keepAlive: form.has('keepAlive'),
    idleTimeoutSeconds: number('idleTimeoutSeconds'),
    maxDurationSeconds: number('maxDurationSeconds'),
    profileId: text('profileId'),
    locale: text('locale'),
    timezone: text('timezone'),
    userAgent: text('userAgent'),
    ...Object.fromEntries(FLAGS.map((flag) => [flag, form.has(flag)])),
  }
}

function Labelled(props: { label: string; hint?: string; issue: string | null; children: ReactNode }) {
  return (
    <label className="labelled">
      <span>{props.label}</span>
      {props.children}
      {props.hint && <span className="hint">{props.hint}</span>}
      <Note issue={props.issue} />
    </label>
  )
}

function Note({ issue }: { issue: string | null }) {
  return issue ? (
    <span className="issue" role="alert">
      {issue}
    </span>
  ) : null
}
