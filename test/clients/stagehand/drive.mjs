// Typical Stagehand code, with a signed link and the URL of a form: `node drive.mjs <cdpUrl> <form>`.
import { Stagehand } from '@browserbasehq/stagehand'

const [cdpUrl, form] = process.argv.slice(2)
const stagehand = new Stagehand({
  env: 'LOCAL',
  localBrowserLaunchOptions: { cdpUrl },
  disablePino: true,
  verbose: 0,
  logger: () => {},
})
await stagehand.init()
const [page] = stagehand.context.pages()
await page.goto(form)
await page.locator('#user').fill('Ada')
// A planned act needs no model.
const { success } = await stagehand.act({
  selector: 'xpath=//button[@data-testid="go"]',
  description: 'the button that signs in',
  method: 'click',
  arguments: [],
})
// oxlint-disable-next-line no-console -- in the page
await page.evaluate(() => console.log('said through Stagehand'))
const said = await page.locator('#out').textContent()
await stagehand.close()
process.stdout.write(JSON.stringify({ success, said }))
