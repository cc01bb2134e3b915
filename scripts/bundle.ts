/**
 * Bundles the two programs into `dist/bundle/{shoal,shoald}.js`, which package.json's `bin` names.
 * `shoal` is split, so that what a command imports lazily is loaded only when it is used; `shoald`
 * is one CommonJS file, for V8 caches the code of scripts and not of modules. Everything lies flat
 * in one folder, because classic-level looks for `prebuilds/` beside the file it was bundled into.
 * The folder runs without node_modules.
 */
import { chmod, cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build, type Metafile } from 'esbuild'
import { NODE_FLAGS } from '../src/cli/node-flags.ts'
import { startBytes } from './check-bundle.ts'
import { writeCodeCache } from './code-cache.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const OUT = join(ROOT, 'dist/bundle')
const BUILD = join(ROOT, `dist/bundle.${process.pid}`)
const ENTRIES = { shoal: 'src/cli/main.ts', shoald: 'node/bundled.ts' } as const
/** What runs each. `env -S`: coreutils 8.30, busybox 1.30, macOS. */
const RUNS_WITH: Readonly<Record<string, string>> = {
  shoal: '#!/usr/bin/env node',
  shoald: `#!/usr/bin/env -S node ${NODE_FLAGS.join(' ')}`
}

// What CommonJS packages expect to find; names that no bundled module declares itself.
const BANNER = `import { createRequire as shoalCreateRequire } from 'node:module'
import { fileURLToPath as shoalFileURLToPath } from 'node:url'
const require = shoalCreateRequire(import.meta.url)
const __filename = shoalFileURLToPath(import.meta.url)
const __dirname = shoalFileURLToPath(new URL('.', import.meta.url))`

/** The native builds of classic-level that fit the platforms shoal runs on. */
const PREBUILDS = ['linux-x64', 'linux-arm64', 'linux-arm', 'darwin-x64+arm64']

async function copyPrebuilds(): Promise<void> {
  const require = createRequire(createRequire(import.meta.url).resolve('level'))
  const from = join(dirname(require.resolve('classic-level/package.json')), 'prebuilds')
  for (const platform of PREBUILDS)
    await cp(join(from, platform), join(BUILD, 'prebuilds', platform), { recursive: true })
}

async function bundle(): Promise<Metafile> {
  const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    version: string
  }
  const common = options(manifest.version)
  const { metafile } = await build({
    ...common,
    entryPoints: ENTRIES,
    chunkNames: '[name]-[hash]',
    splitting: true,
    format: 'esm',
    banner: { js: BANNER }
  })
  const daemon = await build({
    ...common,
    entryPoints: { shoald: 'node/main.ts' },
    outExtension: { '.js': '.cjs' },
    format: 'cjs',
    banner: { js: "const shoalUrl = require('node:url').pathToFileURL(__filename).href" },
    define: { ...common.define, 'import.meta.url': 'shoalUrl' }
  })
  return {
    inputs: { ...metafile.inputs, ...daemon.metafile.inputs },
    outputs: { ...metafile.outputs, ...daemon.metafile.outputs }
  }
}

function options(version: string) {
  return {
    absWorkingDir: ROOT,
    outdir: BUILD,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    // Smaller files parse faster; names stay, so that stacks and error names can be read.
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: false,
    legalComments: 'none',
    define: { 'process.env.SHOAL_VERSION': JSON.stringify(version) },
    loader: { '.node': 'empty' },
    external: ['cpu-features'],
    metafile: true,
    logLevel: 'warning'
  } as const satisfies BuildOptions
}

async function makeRunnable(name: string): Promise<void> {
  const path = join(BUILD, `${name}.js`)
  const text = await readFile(path, 'utf8')
  const body = text.startsWith('#!') ? text.slice(text.indexOf('\n') + 1) : text
  await writeFile(path, `${RUNS_WITH[name]}\n${body}`)
  await chmod(path, 0o755)
}

async function main(): Promise<void> {
  await mkdir(BUILD, { recursive: true })
  try {
    const metafile = await bundle()
    for (const name of Object.keys(ENTRIES)) await makeRunnable(name)
    await copyPrebuilds()
    const cacheBytes = await writeCodeCache(BUILD)
    await writeFile(`${OUT}.meta.json`, JSON.stringify(metafile))
    await rm(OUT, { recursive: true, force: true })
    await rename(BUILD, OUT)
    const kib = (bytes: number): string => `${Math.round(bytes / 1024)} KiB`
    const shoal = kib(startBytes(metafile, 'shoal'))
    process.stdout.write(`dist/bundle/shoal.js: ${shoal} loaded at start\n`)
    process.stdout.write(`dist/bundle/shoald.cache: ${kib(cacheBytes)} of code\n`)
  } finally {
    await rm(BUILD, { recursive: true, force: true })
  }
}

await main()
