/**
 * Checks what would be published: both programs start without node_modules and say the version of
 * package.json, `shoal` loads little at start, and `npm pack` takes what is needed and no more.
 */
import { accessSync, constants, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Metafile } from 'esbuild'
import { NODE_FLAGS } from '../src/cli/node-flags.ts'
import { capture } from './exec.ts'

interface Pack {
  readonly files: readonly { readonly path: string; readonly size: number }[]
}

const NEEDED = [
  'package.json',
  'README.md',
  'LICENSE',
  'dist/bundle/shoal.js',
  'dist/bundle/shoald.js',
  'dist/bundle/shoald.cjs',
  'dist/bundle/shoald.cache',
  'dist/bundle/prebuilds/linux-x64/classic-level.node'
]
const PACK_MIB_MAX = 16
const START_KIB_MAX = 256

/** Bytes of an entry together with all it imports at once, without lazy imports. */
export function startBytes(metafile: Metafile, entry: string): number {
  const seen = new Set<string>()
  const walk = (path: string): number => {
    const output = metafile.outputs[path]
    if (output === undefined || seen.has(path)) return 0
    seen.add(path)
    return output.imports
      .filter(imported => imported.kind === 'import-statement' && imported.external !== true)
      .reduce((sum, imported) => sum + walk(imported.path), output.bytes)
  }
  const found = Object.keys(metafile.outputs).find(path => path.endsWith(`/${entry}.js`))
  return found === undefined ? 0 : walk(found)
}

/** A command must not load at start what only some commands need. */
function startSize(root: string): string[] {
  const metafile = JSON.parse(readFileSync(join(root, 'dist/bundle.meta.json'), 'utf8')) as Metafile
  const kib = startBytes(metafile, 'shoal') / 1024
  if (kib > 0 && kib <= START_KIB_MAX) return []
  return [`shoal loads ${Math.round(kib)} KiB at start, more than ${START_KIB_MAX}`]
}

function programs(root: string): string[] {
  const problems: string[] = []
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string
    bin: Record<string, string>
  }
  const away = mkdtempSync(join(tmpdir(), 'shoal-bundle-'))
  try {
    cpSync(join(root, 'dist/bundle'), away, { recursive: true })
    for (const [name, path] of Object.entries(manifest.bin)) {
      try {
        accessSync(join(root, path), constants.X_OK)
      } catch {
        problems.push(`${path} is missing or not executable`)
        continue
      }
      const said = capture([join(away, `${name}.js`), '--version'])
      if (!said.includes(manifest.version))
        problems.push(`${name} --version says "${said.trim()}", not ${manifest.version}`)
    }
  } finally {
    rmSync(away, { recursive: true, force: true })
  }
  return problems
}

/** The Node that made the cache takes it. */
function cache(root: string): string[] {
  const entry = pathToFileURL(join(root, 'dist/bundle/shoald.js')).href
  const program = `process.argv.splice(1, 1, 'shoald', '--version')
const { script } = await import('${entry}')
console.log(script.cachedDataRejected)`
  const options = [...NODE_FLAGS, '--input-type=module', '-e', program, '--', 'shoald']
  const said = capture([process.execPath, ...options])
  return said.includes('false') ? [] : ['shoald.cache does not fit the Node that made it']
}

function pack(root: string): string[] {
  const text = capture(['npm', 'pack', '--dry-run', '--json', '--ignore-scripts'], root)
  const [listing] = JSON.parse(text === '' ? '[]' : text) as Pack[]
  if (listing === undefined) return ['npm pack --dry-run said nothing']
  const paths = new Set(listing.files.map(file => file.path))
  const problems = NEEDED.filter(path => !paths.has(path)).map(path => `${path} is not packed`)
  const mib = listing.files.reduce((sum, file) => sum + file.size, 0) / 2 ** 20
  process.stdout.write(`npm pack: ${paths.size} files, ${mib.toFixed(1)} MiB unpacked\n`)
  if (mib > PACK_MIB_MAX)
    problems.push(`${mib.toFixed(1)} MiB are packed, more than ${PACK_MIB_MAX}`)
  return problems
}

/** True when the bundle is fit to be published; says what is not. */
export async function checkBundle(root: string): Promise<boolean> {
  const problems = [...startSize(root), ...programs(root), ...cache(root), ...pack(root)]
  for (const problem of problems) process.stdout.write(`${problem}\n`)
  return problems.length === 0
}
