import { Popover } from '@base-ui/react/popover'
import { useQuery } from 'urql'
import { dateTime } from '../base/format.ts'
import { Access } from '../api/operations.ts'
import { CopyButton } from '../parts/copy-button.tsx'
import { OperationCopy } from '../parts/operation-copy.tsx'
import { Problem } from '../parts/problem.tsx'
import { sentenceFor } from '../api/errors.ts'
import { messages } from '../base/messages.ts'

/** Instructions to connect an existing client. The link in them is created when this is opened. */
export function Connect({ id }: { id: string }) {
  return (
    <Popover.Root>
      <Popover.Trigger className="button">{messages.connect.button}</Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner sideOffset={6} align="end" className="positioner">
          <Popover.Popup className="popup connect">
            <Popover.Title className="popup-title">{messages.connect.title}</Popover.Title>
            <Snippets id={id} />
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  )
}

function Snippets({ id }: { id: string }) {
  const [{ data, error }, refetch] = useQuery({ query: Access, variables: { id } })
  if (error) return <Problem onRetry={() => refetch()}>{sentenceFor(error)}</Problem>
  if (!data) return <p className="faint">{messages.loading}</p>
  const access = data.session?.access
  if (!access) return <p>{messages.connect.notAllowed}</p>
  const { cdpUrl, expiresAt } = access
  const snippets = [
    [messages.connect.playwright, playwright(cdpUrl)],
    [messages.connect.puppeteer, puppeteer(cdpUrl)],
    [messages.connect.url, cdpUrl],
  ] as const
  return (
    <>
      {snippets.map(([name, code]) => (
        <section key={name} className="snippet" aria-label={name}>
          <div className="bar">
            <h3>{name}</h3>
            <span className="bar-gap" />
            <CopyButton label={messages.connect.copy(name)} text={() => code}>
              {messages.copy}
            </CopyButton>
          </div>
          {/* Scrollable, so it must be focusable by keyboard. */}
          <pre className="text" tabIndex={0} role="group" aria-label={name}>
            {code}
          </pre>
        </section>
      ))}
      <div className="bar">
        <p className="hint">{messages.connect.hint(dateTime(expiresAt))}</p>
        <OperationCopy document={Access as never} variables={{ id }} />
      </div>
    </>
  )
}

const playwright = (url: string) => `import { chromium } from 'playwright'
const browser = await chromium.connectOverCDP('${url}')
const page = browser.contexts()[0].pages()[0]
`

const puppeteer = (url: string) => `import puppeteer from 'puppeteer-core'
const browser = await puppeteer.connect({ browserWSEndpoint: '${url}', defaultViewport: null })
const [page] = await browser.pages()
`
