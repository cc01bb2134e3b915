/** The CLI as people run it: bundled once for all tests, each command a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Metafile } from 'esbuild'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BANNER = `import { createRequire as cr } from 'node:module'
import { fileURLToPath as fp } from 'node:url'
const require = cr(import.meta.url)
const __dirname = fp(new URL('.', import.meta.url))`

export interface BuiltCli {
  readonly main: string
  readonly metafile: Metafile
}

let built: Promise<BuiltCli> | undefined

/** As `scripts/bundle.ts` does, but the CLI alone and into a temporary folder. */
export function buildCli(): Promise<BuiltCli> {
  built ??= (async () => {
    const outdir = mkdtempSync(join(tmpdir(), 'shoal-cli-'))
    process.on('exit', () => rmSync(outdir, { recursive: true, force: true }))
    const { metafile } = await build({
      absWorkingDir: ROOT,
      entryPoints: ['src/cli/main.ts'],
      outdir,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      banner: { js: BANNER },
      define: { 'process.env.SHOAL_VERSION': '"0.1.0"' },
      metafile: true,
      logLevel: 'error'
    })
    return { main: join(outdir, 'main.mjs'), metafile }
  })()
  return built
}

export interface Said {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly socket?: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly cwd?: string
  /** Called once, when stderr holds this text: for tests that act while a command runs. */
  readonly on?: Act
  /** The same for stdout, one after the other. */
  readonly acts?: readonly Act[]
}

export interface Act {
  readonly text: string
  readonly act: (child: ChildProcess) => void
}

const KEPT = ['PATH', 'HOME', 'TMPDIR']

/** Nothing of the environment of this run reaches the command but what it needs to start. */
export async function shoal(argv: readonly string[], options: RunOptions = {}): Promise<Said> {
  const { main } = await buildCli()
  const env: Record<string, string> = { ...options.env }
  for (const name of KEPT) {
    const value = process.env[name]
    if (value !== undefined && !(name in env)) env[name] = value
  }
  if (options.socket !== undefined) env['SHOAL_SOCKET'] = options.socket
  const child = spawn(process.execPath, [main, ...argv], {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd })
  })
  child.stdin.on('error', () => {})
  child.stdin.end(options.input ?? '')
  let stdout = ''
  let stderr = ''
  let hasActed = false
  const acts = [...(options.acts ?? [])]
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8')
    if (acts[0] !== undefined && stdout.includes(acts[0].text)) acts.shift()?.act(child)
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8')
    if (hasActed || options.on === undefined || !stderr.includes(options.on.text)) return
    hasActed = true
    options.on.act(child)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => resolve({ code, stdout, stderr }))
  })
}
