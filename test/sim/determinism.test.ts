import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { equal, match, ok } from 'uvu/assert'
import { suite } from '../helpers/suite.ts'

const test = suite('simulator', { timeoutMs: 60_000 })
const here = fileURLToPath(new URL('.', import.meta.url))

function hashOf(seed: number): string {
  const args = ['--import', 'tsx', `${here}run.ts`, '--seed', String(seed), '--minutes', '2']
  const output = execFileSync(process.execPath, args, { encoding: 'utf8' })
  const [, hash = ''] = /trace ([0-9a-f]{16})/.exec(output) ?? []
  match(hash, /^[0-9a-f]{16}$/)
  return hash
}

test('the same seed gives the same trace in two processes, another seed another one', () => {
  const first = hashOf(7)
  equal(hashOf(7), first)
  ok(hashOf(8) !== first)
})

test('the simulator holds no protocol decision of its own', () => {
  const words = /placement\/(assign|repair|choose)|membership\/(side|suspicion)|claims\.ts|duel/
  const names = readdirSync(here, { recursive: true, encoding: 'utf8' })
  for (const file of names.filter(name => name.endsWith('.ts'))) {
    if (file.endsWith('.test.ts')) continue
    const text = readFileSync(here + file, 'utf8')
    const imports = text
      .split('\n')
      .filter(line => line.startsWith('import') || line.includes(" from '"))
    for (const line of imports) ok(!words.test(line), `${file}: ${line}`)
    ok(
      !/silenceSuspect|settleMs|handoverMs|restartGrace/.test(text),
      `${file} knows a protocol bound`
    )
  }
})

test.run()
