/**
 * `npm run bench -- [name ...] [--count N] [--write]`: measures what shoal promises and says n and
 * min/median/max. Times of takeovers come from the engines' own event streams. Writes nothing but
 * its output; with `--write` also the figures in scripts/bench/README.md.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runStep } from '../exec.ts'
import { cutDefaults, cutFast } from './cut.ts'
import { mesh20 } from './mesh20.ts'
import { type Bench, type Figure, line, meets, table } from './report.ts'
import { startup } from './startup.ts'
import { last, late, takeover } from './takeover.ts'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const README = `${HERE}README.md`
const PLACEMENT_BUDGET_MS = 600_000

const BENCHES: Readonly<Record<string, Bench>> = {
  takeover,
  late,
  last,
  cut: cutDefaults,
  'cut-fast': cutFast,
  mesh20,
  startup
}

function usage(): string {
  const rows = Object.entries(BENCHES).map(([name, { about }]) => `  ${name.padEnd(10)}${about}`)
  return ['npm run bench -- [name ...] [--count N] [--write]', ...rows]
    .concat('  placement the pure algorithm, beside the package hashring; prints its own figures')
    .join('\n')
}

/** Replaces the part of the README between the two marks of a bench. */
function write(name: string, figures: readonly Figure[]): void {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const text = readFileSync(README, 'utf8')
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  const system = `Linux ${release().split('-')[0]}, Node ${process.versions.node}`
  const machine = `${availableParallelism()} cores, ${memory}, ${system}`
  const part = `${begin}\n${machine}\n\n${table(figures)}\n${end}`
  const next =
    from < 0 || to < 0
      ? `${text.trimEnd()}\n\n## ${name}\n\n${part}\n`
      : text.slice(0, from) + part + text.slice(to + end.length)
  writeFileSync(README, next)
}

async function placement(): Promise<boolean> {
  const argv = [process.execPath, '--import', 'tsx', `${HERE}placement.ts`]
  const options = { cwd: HERE, env: process.env, budgetMs: PLACEMENT_BUDGET_MS }
  return (await runStep(argv, options)) === 0
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      count: { type: 'string' },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    },
    allowPositionals: true
  })
  // What people run, unless another program is named.
  process.env['SHOAL_BIN'] ??= 'bundle'
  const names = positionals.length > 0 ? positionals : [...Object.keys(BENCHES), 'placement']
  const unknown = names.find(name => name !== 'placement' && BENCHES[name] === undefined)
  if (values.help || unknown !== undefined) {
    process.stdout.write(`${usage()}\n`)
    process.exit(unknown === undefined ? 0 : 2)
  }
  const count = values.count === undefined ? undefined : Number(values.count)
  let missed = 0
  for (const name of names) {
    process.stdout.write(`\n== ${name}\n`)
    if (name === 'placement') {
      if (!(await placement())) missed += 1
      continue
    }
    const figures = (await BENCHES[name]?.run({ count })) ?? []
    for (const figure of figures) process.stdout.write(`${line(figure)}\n`)
    missed += figures.filter(figure => meets(figure) === false).length
    if (values.write) write(name, figures)
  }
  process.stdout.write(missed === 0 ? '\nevery bar was met\n' : `\n${missed} bars were missed\n`)
  process.exit(missed === 0 ? 0 : 1)
}

await main()
