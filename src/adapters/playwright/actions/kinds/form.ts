import type { ActionValues } from '../../../../contract/actions/list.ts'
import { stageFiles } from '../../files/staged-files.ts'
import { ActionFailure } from '../site/action-failure.ts'
import type { ActionHandler } from '../site/action-site.ts'
import { describeTarget, elementOf } from '../site/locate.ts'

export const select: ActionHandler<ActionValues<'select'>> = async (site, { target, values, labels }) => {
  const element = await elementOf(site, target)
  site.details.note(values === null ? { labels } : { values })
  const options = values?.map((value) => ({ value })) ?? labels?.map((label) => ({ label })) ?? []
  const selected = await element.selectOption(options, { timeout: site.timeout, signal: site.signal })
  return { result: selected }
}

export const check: ActionHandler<ActionValues<'check'>> = async (site, { target, checked }) => {
  const element = await elementOf(site, target)
  site.details.note({ checked })
  await element.setChecked(checked, { timeout: site.timeout, signal: site.signal })
  return {}
}

export const upload: ActionHandler<ActionValues<'upload'>> = async (site, { target, artifactIds }) => {
  const { page, files, timeout, signal } = site
  site.details.note({ artifactIds, files: files.map(({ name, sizeBytes }) => ({ name, sizeBytes })) })
  const element = await elementOf(site, target)
  const isInput = await element.evaluate(
    (node) => {
      const control = node instanceof HTMLLabelElement ? node.control : node
      return control instanceof HTMLInputElement && control.type === 'file'
    },
    undefined,
    { timeout },
  )
  const refusal = site.refuseUpload(files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))
  if (refusal !== null) throw new ActionFailure('STORAGE_FULL', refusal)
  const paths = await stageFiles(files, site.uploadsDir, signal)
  if (isInput) {
    await element.setInputFiles(paths, { timeout, signal })
    return {}
  }
  const choosing = page.waitForEvent('filechooser', { timeout }).catch(() => null)
  await element.click({ timeout, signal })
  const chooser = await choosing
  if (!chooser) {
    const what = describeTarget(target)
    throw new ActionFailure('NOT_ACTIONABLE', `${what} is no file input, and clicking it opened no file chooser.`)
  }
  await chooser.setFiles(paths, { timeout })
  return {}
}
