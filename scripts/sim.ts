/**
 * `npm run sim` and `npm run scale`: makes one file of a program in `test/sim/` and runs that. The
 * loader that runs TypeScript names every closure when it is made; without it a quiet hour of a
 * mesh passes 1.3 times as fast.
 */
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const [program = 'run.ts', ...args] = process.argv.slice(2)
// As deep below the root as the sources that look for it.
const outfile = join(ROOT, `dist/sim/${process.pid}.mjs`)

await build({
  absWorkingDir: ROOT,
  entryPoints: [`test/sim/${program}`],
  outfile,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  sourcemap: 'inline',
  logLevel: 'warning'
})
const argv = ['--enable-source-maps', outfile, ...args]
const { status } = spawnSync(process.execPath, argv, { stdio: 'inherit' })
rmSync(outfile, { force: true })
process.exit(status ?? 1)
