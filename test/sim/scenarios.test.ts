import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { equal, fixture, match, ok } from 'uvu/assert'
import { suite } from '../helpers/suite.ts'
import { runScenario } from './scenarios/run-scenario.ts'

const test = suite('simulated scenarios', { timeoutMs: 60_000 })
const FOLDER = fileURLToPath(new URL('scenarios/', import.meta.url))
const LINES_MAX = 200
const isUpdate = process.env['SHOAL_UPDATE'] === '1'

const names = readdirSync(FOLDER).filter(name => name.endsWith('.txt'))

for (const name of names) {
  test(`${name.slice(0, -4)}: happens as it is written down, and keeps every promise`, async () => {
    const written = readFileSync(FOLDER + name, 'utf8')
    const happened = await runScenario(written)
    if (isUpdate) return writeFileSync(FOLDER + name, happened)
    fixture(happened, written, `${name} (SHOAL_UPDATE=1 writes it anew)`)
  })
}

/** Why a scenario was refused. */
async function refusal(text: string): Promise<string> {
  try {
    await runScenario(text)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return 'it was not'
}

const MESH = 'seed 1\n\nhosts 3\nwithin 2s: all met\nrun 2s\n----\n\n'

test('a bar that is missed is an error with its line and what happened until then', async () => {
  const why = await refusal(`${MESH}off n2\nwithin 100ms: n2 dead\n----\n`)
  match(why, /^line 9, within 100ms: n2 dead: not yet: n0 sees n2 alive/)
})

test('a scenario that ends while the mesh cannot agree is refused, whatever it expects', async () => {
  const why = await refusal(`${MESH}cut n0 | n1,n2\nrun 6s\n----\n`)
  match(why, /^L6: not within 60000 ms/)
})

test('a broken promise is refused too: a host that nobody touched is found dead', async () => {
  // Starved for a minute a daemon is as good as frozen; of that nobody was told.
  const why = await refusal(`${MESH}run 25s\nstarve n2 60000\nrun 30s\n----\n`)
  match(why, /^line 10, run 30s: L7: n\d buries n2, well for \d+ ms/)
})

test('commands that nobody knows are errors', async () => {
  match(await refusal(`${MESH}melt n2\n----\n`), /melt n2: no such command/)
  match(await refusal(`${MESH}run 5\n----\n`), /no such time: 5/)
  match(await refusal('hosts 3\n----\n'), /begins with a seed/)
})

test('what is written down can be read through', () => {
  for (const name of names) {
    const lines = readFileSync(FOLDER + name, 'utf8').split('\n').length
    ok(lines <= LINES_MAX, `${name} has ${lines} lines`)
  }
  equal(names.length, 19)
})

test.run()
