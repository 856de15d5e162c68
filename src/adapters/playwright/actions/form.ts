import { chmod, chown, mkdir, mkdtemp, stat } from 'node:fs/promises'
import { createWriteStream } from 'node:fs'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { ActionValues } from '../../../ports/actions/list.ts'
import { ActionFailure, type ActionHandler, type ActionSite } from './action-site.ts'
import { describeTarget, elementOf } from './locate.ts'

const NAME_LENGTH = 200

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
  const paths = await stage(site)
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

/**
 * Writes the files to where the browser, which runs as another user, may read them; they go with its directory. Nothing
 * of it is the browser's own, who could else put a link where the next file is about to be written.
 */
async function stage({ files, uploadsDir, signal }: ActionSite): Promise<string[]> {
  const { uid, gid, mode } = await stat(uploadsDir)
  const share = async (folder: string) => {
    await chown(folder, uid, gid)
    await chmod(folder, mode)
    return folder
  }
  const folder = await share(await mkdtemp(join(uploadsDir, 'step-')))
  const paths: string[] = []
  for (const [index, file] of files.entries()) {
    // Of one name, two files need two folders.
    const own = join(folder, String(index))
    await mkdir(own, { mode: 0o700 })
    const path = join(await share(own), safeName(file.name))
    await pipeline(await file.open(signal), createWriteStream(path, { mode: 0o600 }), { signal })
    await chown(path, uid, gid)
    await chmod(path, 0o640)
    paths.push(path)
  }
  return paths
}

function safeName(name: string): string {
  const plain = basename(name.replace(/[\0\\]/g, '_')).slice(-NAME_LENGTH)
  return plain === '' || plain === '.' || plain === '..' ? 'file' : plain
}
