// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of Compose variables
/** Readers never throw and never hang, whatever they are given. */
import fc from 'fast-check'
import { ok } from 'uvu/assert'
import { parseDotenv } from '../../src/spec/compose/dotenv.ts'
import { interpolate } from '../../src/spec/compose/interpolate.ts'
import { splitWords } from '../../src/spec/compose/words.ts'
import { parseConstraint } from '../../src/spec/constraints.ts'
import { parseImage } from '../../src/spec/image.ts'
import { nearest } from '../../src/spec/nearest.ts'
import { parsePort } from '../../src/spec/ports.ts'
import { formatProblem } from '../../src/spec/problem.ts'
import { checkWorkload } from '../../src/spec/schema.ts'
import { SUPPORT } from '../../src/spec/support.ts'
import {
  parseBytes,
  parseCpus,
  parseDuration,
  parseName,
  parseSignal
} from '../../src/spec/units.ts'
import { readText } from '../fixtures/spec/reader.ts'
import { cpuCostMs } from '../helpers/cost.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('spec properties')

const SLOW_MS = 100
/** `SHOAL_FUZZ=100` runs a hundred times as many. */
const FACTOR = Math.max(1, Number(process.env['SHOAL_FUZZ'] ?? 1))
const KEYS = [...new Set(Object.keys(SUPPORT).flatMap(path => path.split('.')))]
  .map(key => key.replace('[]', ''))
  .filter(key => key !== '*' && key !== '')
const SIGNS = [
  '- ',
  ': ',
  '\n',
  '  ',
  '[',
  ']',
  '{',
  '}',
  '"',
  "'",
  '|',
  '>',
  '&a ',
  '*a',
  '<<: ',
  '#',
  '!!str ',
  '${A:-',
  '}',
  '$',
  '~',
  '@',
  '\t',
  '---\n',
  '0440',
  '1e9',
  '-1',
  'null',
  '\u202e'
]

/** Text with the signs of YAML, names of keys and noise. */
const yamlish = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...SIGNS) },
      { weight: 3, arbitrary: fc.constantFrom(...KEYS) },
      { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 8 }) }
    ),
    { maxLength: 120 }
  )
  .map(parts => parts.join(''))

const scalar = fc.oneof(
  fc.constantFrom('80:80', '1g', '10s', './a:/b', 'a', '/x', 'node.zone == a', 'x=y', '${A}', 'db'),
  fc.integer({ min: -2, max: 2_000 }),
  fc.boolean(),
  fc.constant(null),
  fc.double(),
  fc.string({ maxLength: 6 })
)
/** Data of any shape under keys that exist: what reaches the readers behind the parser. */
const { tree } = fc.letrec(tie => ({
  tree: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    scalar,
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...KEYS), tie('tree'), { maxKeys: 5 })
  )
}))

async function calm(text: string): Promise<void> {
  const reads: Awaited<ReturnType<typeof readText>>[] = []
  const elapsedMs = await cpuCostMs(
    async () => reads.push(await readText(text, { env: { A: 'x' } })),
    SLOW_MS
  )
  ok(elapsedMs < SLOW_MS, `${elapsedMs.toFixed(0)} ms: ${JSON.stringify(text)}`)
  const { lines, problems, workloads } = reads[0]!
  ok(problems.length > 0 || workloads.length > 0, 'neither workloads nor problems')
  for (const line of lines) ok(!/[\p{Cc}\u202a-\u202e]/u.test(line), JSON.stringify(line))
  for (const workload of workloads) {
    const checked = checkWorkload(JSON.parse(JSON.stringify(workload)))
    const found = 'problems' in checked ? checked.problems.map(formatProblem) : []
    ok(found.length === 0, `${found.join('\n')}\n${text}`)
  }
}

test('any text gives workloads or problems, in under 100 ms', {
  timeoutMs: 60_000 * FACTOR
}, async () => {
  await calm('services: {a: {image: a}}')
  await fc.assert(fc.asyncProperty(yamlish, calm), { numRuns: 200 * FACTOR })
  const service = fc.tuple(yamlish).map(([text]) => `services:\n  a:\n    image: b\n    ${text}`)
  await fc.assert(fc.asyncProperty(service, calm), { numRuns: 150 * FACTOR })
})

test('any data under known keys gives workloads that the schema takes, or problems', {
  timeoutMs: 60_000 * FACTOR
}, async () => {
  const file = fc
    .record({
      services: fc.dictionary(
        fc.constantFrom('a', 'b', 'db'),
        fc.dictionary(fc.constantFrom(...KEYS), tree, { maxKeys: 8 })
      ),
      volumes: fc.oneof(tree, fc.constant({ db: null })),
      networks: tree
    })
    .map(data => JSON.stringify(data))
  await fc.assert(fc.asyncProperty(file, calm), { numRuns: 250 * FACTOR })
})

test('every small parser gives a value or a reason for any text', async () => {
  const parsers = [
    parseBytes,
    parseCpus,
    parseDuration,
    parseName,
    parseSignal,
    parsePort,
    parseImage,
    parseConstraint,
    splitWords,
    (text: string) => interpolate(text, name => (name.length % 2 === 0 ? undefined : name)),
    (text: string) => parseDotenv(text, { lookup: () => undefined }),
    (text: string) => nearest(text, KEYS)
  ]
  const text = fc.oneof(
    yamlish,
    fc.string({ unit: 'binary' }),
    fc
      .tuple(fc.constantFrom(...SIGNS, 'a', '1', '-', '.', '/', '='), fc.nat(3_000))
      .map(([sign, count]) => sign.repeat(count))
  )
  await fc.assert(
    fc.asyncProperty(text, async value => {
      for (const parse of parsers) {
        const elapsedMs = await cpuCostMs(() => parse(value), SLOW_MS)
        ok(elapsedMs < SLOW_MS, `${parse.name} took ${elapsedMs.toFixed(0)} ms`)
      }
    }),
    { numRuns: 250 * FACTOR }
  )
})

test('the order of environment variables changes no spec', async () => {
  const names = fc.uniqueArray(fc.constantFrom('A', 'B', 'C', 'D', 'E'), { minLength: 2 })
  await fc.assert(
    fc.asyncProperty(names, async list => {
      const file = (order: readonly string[]): string =>
        `services: {a: {image: a, environment: {${order.map(name => `${name}: ${name}`)}}}}`
      const one = await readText(file(list))
      const other = await readText(file([...list].reverse()))
      ok(JSON.stringify(one.workloads) === JSON.stringify(other.workloads))
    }),
    { numRuns: 50 }
  )
})

test.run()
