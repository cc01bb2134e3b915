/** An image without a registry: the static busybox of this machine with its links. */
import { copyFileSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Engine } from './testbed-engine.ts'
import { must } from './testbed-run.ts'

export interface ImageNames {
  readonly name: string
}

const APPLETS = 'sh sleep httpd nc wget cat ls echo hostname date true false kill env touch test'

/** Imports once, then copies: separate imports would give the engines different image ids. */
export async function importImage(
  folder: string,
  engines: readonly Engine[],
  name: string
): Promise<void> {
  const [first, ...others] = engines
  if (first === undefined) return
  const root = join(folder, 'image')
  mkdirSync(join(root, 'bin'), { recursive: true })
  mkdirSync(join(root, 'tmp'))
  const busybox = (await must(['sh', '-c', 'command -v busybox'])).trim()
  copyFileSync(busybox, join(root, 'bin/busybox'))
  for (const applet of APPLETS.split(' ')) symlinkSync('busybox', join(root, 'bin', applet))
  const tar = join(folder, 'image.tar')
  const saved = join(folder, 'saved.tar')
  await must(['tar', '-C', root, '-cf', tar, '.'])
  await must(['docker', '-H', `unix://${first.socket}`, 'import', tar, name])
  if (others.length > 0) {
    await must(['docker', '-H', `unix://${first.socket}`, 'save', '-o', saved, name])
    const load = (engine: Engine): Promise<string> =>
      must(['docker', '-H', `unix://${engine.socket}`, 'load', '-q', '-i', saved])
    await Promise.all(others.map(load))
  }
  for (const path of [tar, saved]) rmSync(path, { force: true })
}
