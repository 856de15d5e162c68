import { AlertDialog } from '@base-ui/react/alert-dialog'
import { useState } from 'react'
import { useMutation } from 'urql'
import { TerminateSession } from '../api/operations.ts'
import { sentenceFor } from '../api/errors.ts'
import { messages } from '../base/messages.ts'
import { Problem } from '../parts/problem.tsx'

/** Ends a session after confirmation. */
export function TerminateButton({ id, name }: { id: string; name: string }) {
  const [open, setOpen] = useState(false)
  const [{ fetching, error }, terminate] = useMutation(TerminateSession)
  return (
    <AlertDialog.Root open={open} onOpenChange={setOpen}>
      <AlertDialog.Trigger className="button danger" aria-label={messages.terminate.buttonFor(name)}>
        {messages.terminate.button}
      </AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="backdrop" />
        <AlertDialog.Popup className="dialog small">
          <AlertDialog.Title className="dialog-title">{messages.terminate.title(name)}</AlertDialog.Title>
          <AlertDialog.Description className="dialog-text">{messages.terminate.text}</AlertDialog.Description>
          {error && <Problem>{sentenceFor(error)}</Problem>}
          <div className="dialog-actions">
            <AlertDialog.Close className="button">{messages.cancel}</AlertDialog.Close>
            <button
              type="button"
              className="button danger solid"
              disabled={fetching}
              onClick={() => {
                void terminate({ id }).then(({ error: failed }) => {
                  if (!failed) setOpen(false)
                })
              }}
            >
              {fetching ? messages.terminate.busy : messages.terminate.confirm}
            </button>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
