import { useEffect, useState, type ReactNode } from 'react'
import { messages } from '../base/messages.ts'

type Outcome = 'none' | 'copied' | 'failed' | 'unavailable'

/** Copies a text, and confirms it for a moment. */
export function CopyButton(props: {
  text: () => string | Promise<string>
  label: string
  children?: ReactNode
  className?: string
}) {
  const [outcome, setOutcome] = useState<Outcome>('none')
  useEffect(() => {
    if (outcome === 'none') return undefined
    const timer = setTimeout(() => setOutcome('none'), 2_000)
    return () => clearTimeout(timer)
  }, [outcome])
  const said = {
    none: '',
    copied: messages.copied,
    failed: messages.copyFailed,
    unavailable: messages.copyUnavailable,
  }[outcome]
  const copy = async () => {
    let text
    try {
      text = await props.text()
    } catch {
      return setOutcome('unavailable')
    }
    try {
      await writeText(text)
      setOutcome('copied')
    } catch {
      setOutcome('failed')
    }
  }
  return (
    <button
      type="button"
      className={props.className ?? 'button quiet'}
      title={props.label}
      aria-label={props.label}
      data-outcome={outcome}
      onClick={() => void copy()}
    >
      {outcome === 'copied' ? <CheckIcon /> : <CopyIcon />}
      {props.children}
      <span role="status" className="visually-hidden">
        {said}
      </span>
    </button>
  )
}

/** The clipboard API needs a secure context; over plain HTTP from another machine the older way works. */
async function writeText(text: string): Promise<void> {
  if (isSecureContext) return navigator.clipboard.writeText(text)
  const area = document.createElement('textarea')
  area.value = text
  document.body.append(area)
  area.select()
  // oxlint-disable-next-line typescript/no-deprecated -- the only way there is
  const done = document.execCommand('copy')
  area.remove()
  if (!done) throw new Error('the browser refused')
}

function CopyIcon() {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      <rect x="5.5" y="5.5" width="8" height="8" rx="1.5" />
      <path d="M10.5 3.5v-.5A1.5 1.5 0 0 0 9 1.5H3.5A1.5 1.5 0 0 0 2 3v5.5A1.5 1.5 0 0 0 3.5 10H4" />
    </svg>
  )
}

function CheckIcon() {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d="m3 8.5 3.5 3.5L13 4.5" />
    </svg>
  )
}
