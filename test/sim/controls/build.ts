/** The simulator with one control's edits, as one file that Node runs without a loader. */
import { readFile } from 'node:fs/promises'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { ROOT } from '../../helpers/source.ts'
import type { Edit } from './control.ts'

const ENTRY = fileURLToPath(new URL('./entry.ts', import.meta.url))
const BANNER = `import { createRequire as simCreateRequire } from 'node:module'
const require = simCreateRequire(import.meta.url)`

/** The text with every edit made. Throws when one does not fit exactly once. */
export function edited(text: string, edits: readonly Edit[]): string {
  let changed = text
  for (const { file, find, replace } of edits) {
    const found = changed.split(find).length - 1
    if (found !== 1) throw new Error(`${file} has ${found} times, not once: ${find}`)
    changed = changed.replace(find, () => replace)
  }
  return changed
}

/** Bundles into `outfile`. Throws when an edit does not fit, or its file is not in the bundle. */
export async function buildControl(outfile: string, edits: readonly Edit[]): Promise<void> {
  const left = new Set(edits.map(edit => edit.file))
  const plugin: Plugin = {
    name: 'control',
    setup: ({ onLoad }) => {
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const file = relative(ROOT, path)
        if (!left.delete(file)) return undefined
        const text = await readFile(path, 'utf8')
        const own = edits.filter(edit => edit.file === file)
        return { contents: edited(text, own), loader: 'ts' }
      })
    }
  }
  await build({
    absWorkingDir: ROOT,
    entryPoints: [ENTRY],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    banner: { js: BANNER },
    loader: { '.node': 'empty' },
    plugins: [plugin],
    logLevel: 'silent'
  })
  if (left.size > 0) throw new Error(`not part of the simulator: ${[...left].join(', ')}`)
}
