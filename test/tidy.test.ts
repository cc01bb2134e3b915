/** The repository checks itself: what neither the compiler nor the linter can see. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { equal } from 'uvu/assert'
import { codeOf, filesBelow, functionsOf, importsOf, ROOT, readSource } from './helpers/source.ts'
import { suite } from './helpers/suite.ts'

const test = suite('tidy')

const FOLDERS = ['placement', 'gossip', 'src', 'node', 'scripts', 'test']
const FILE_LINES_MAX = 400
const FUNCTION_LINES_MAX = 70
const COLUMNS_MAX = 100

/** Functions that are longer than the limit and may not grow. Empty is the goal. */
const LONG_FUNCTIONS: Readonly<Record<string, number>> = {}

const all = FOLDERS.flatMap(filesBelow)
const sources = all.filter(path => path.endsWith('.ts'))
const PURE = ['placement/', 'gossip/core/', 'node/agent/', 'node/reconcile/']
const isPure = (path: string): boolean => PURE.some(room => path.startsWith(room))

/** Which rooms a room may import; the table of the architecture. First match counts. */
const ROOMS: readonly (readonly [room: string, mayImport: readonly string[]])[] = [
  ['placement/', ['placement/']],
  ['gossip/core/', ['gossip/core/']],
  ['gossip/', ['gossip/']],
  ['src/spec/', ['src/spec/', 'src/errors.ts']],
  ['src/api/', ['src/api/', 'src/spec/', 'src/errors.ts']],
  ['src/cli/', ['src/cli/', 'src/api/', 'src/spec/', 'src/errors.ts', 'placement/']],
  ['src/errors.ts', []],
  ['node/reconcile/', ['node/reconcile/', 'src/spec/', 'src/errors.ts']],
  [
    'node/agent/',
    ['node/agent/', 'node/reconcile/', 'placement/', 'gossip/core/', 'src/spec/', 'src/errors.ts']
  ],
  ['node/', ['node/', 'gossip/', 'placement/', 'src/api/', 'src/spec/', 'src/errors.ts']],
  ['scripts/', ['']],
  ['test/', ['']]
]

/** Packages that only some files know, so that they can be replaced there. First match counts. */
const PACKAGE_HOMES: readonly (readonly [name: RegExp, homes: readonly string[]])[] = [
  // An identity is a libp2p key; its bytes are made and checked beside the network.
  [/^@libp2p\/(crypto.*|peer-id|interface)$/, ['gossip/libp2p/', 'gossip/', 'node/identity.ts']],
  [/^it-/, ['gossip/libp2p/', 'node/']],
  [/^(libp2p|@libp2p\/.*|@chainsafe\/.*|@multiformats\/.*)$/, ['gossip/libp2p/']],
  [/^dockerode$/, ['node/runtime/']],
  [/^(level|classic-level|abstract-level)$/, ['node/store/']],
  [/^(commander|@commander-js\/.*|cli-table3|picocolors)$/, ['src/cli/']],
  [/^yaml$/, ['src/']]
]

function importProblem(path: string, wanted: string): string | undefined {
  const rules = ROOMS.find(([room]) => path.startsWith(room))?.[1] ?? []
  if (wanted.startsWith('.')) {
    const target = normalize(join(dirname(path), wanted))
    return rules.some(room => target.startsWith(room)) ? undefined : `imports ${target}`
  }
  if (isPure(path)) return `imports ${wanted}, but is pure`
  const homes = PACKAGE_HOMES.find(([name]) => name.test(wanted))?.[1] ?? ['']
  const tool = path.startsWith('test/') || path.startsWith('scripts/')
  if (!tool && !homes.some(home => path.startsWith(home)))
    return `imports ${wanted}, which only ${homes.join(' ')} may`
  return undefined
}

test('imports follow the table of the architecture', () => {
  const problems = sources.flatMap(path =>
    importsOf(readSource(path)).flatMap(wanted => {
      const problem = importProblem(path, wanted)
      return problem === undefined ? [] : [`${path} ${problem}`]
    })
  )
  equal(problems, [])
})

const IMPURE: readonly (readonly [name: RegExp, instead: string])[] = [
  [/(?<![.\w#])Date\b(?!\s*:)/, 'time is an argument'],
  [/\bMath\.random\b/, 'randomness is an argument'],
  [/(?<![.\w#])(setTimeout|setInterval|setImmediate|queueMicrotask)\b/, 'timers are effects'],
  [/(?<![.\w#])performance\b(?!\s*:)/, 'time is an argument'],
  [/(?<![.\w#])(process|Buffer|globalThis|fetch|crypto)\b(?!\??\s*:)\s*[.([]/, 'no IO here']
]

test('pure folders know no clock, no randomness and no machine', () => {
  const problems = sources.filter(isPure).flatMap(path => {
    const code = codeOf(readSource(path))
    return IMPURE.filter(([name]) => name.test(code)).map(([, why]) => `${path}: ${why}`)
  })
  equal(problems, [])
})

test('exports have names', () => {
  const found = sources.filter(path => /\bexport default\b/.test(codeOf(readSource(path))))
  equal(found, [])
})

test('every test file runs its suite, and none uses the hooks of uvu', () => {
  const files = sources.filter(path => /^test\/.*\.(test|e2e)\.ts$/.test(path))
  const silent = files.filter(path => !/^\s*\w+\.run\(\)$/m.test(readSource(path)))
  const hooked = files.filter(path => /\btest\.(before|after|only|skip)\b/.test(readSource(path)))
  const direct = files.filter(path => importsOf(readSource(path)).includes('uvu'))
  equal({ silent, hooked, direct }, { silent: [], hooked: [], direct: [] })
})

test('unit and property tests do not sleep', () => {
  const quick = sources.filter(path => /^test\/(unit|property|paper)\//.test(path))
  const sleepers = quick.filter(path => /\bsetTimeout\(\w+, \d|\bsleep\(/.test(readSource(path)))
  equal(sleepers, [])
})

test('every room has a README with one title', () => {
  // What lies deeper than a room may be described by the room, or by a README of its own.
  const rooms = sources.map(path => dirname(path).split('/').slice(0, 2).join('/'))
  const folders = new Set(['.', ...FOLDERS, ...rooms])
  const problems = [...folders].sort().flatMap(folder => {
    const path = join(ROOT, folder, 'README.md')
    if (!existsSync(path)) return [`${folder} has no README.md`]
    const text = readSource(join(folder, 'README.md')).replace(/^```[\s\S]*?^```/gm, '')
    const titles = text.match(/^# /gm)?.length ?? 0
    return titles === 1 ? [] : [`${folder}/README.md has ${titles} titles`]
  })
  equal(problems, [])
})

test('functions, files and lines stay short', () => {
  const problems: string[] = []
  for (const path of sources) {
    const source = readSource(path)
    const lines = source.trimEnd().split('\n')
    if (lines.length > FILE_LINES_MAX) problems.push(`${path} has ${lines.length} lines`)
    lines.forEach((line, index) => {
      // The formatter leaves only literals and comments longer; in tests a literal is data.
      const isData = path.startsWith('test/') && !/^\s*(\/\/|\/?\*)/.test(line)
      if (line.length > COLUMNS_MAX && !isData)
        problems.push(`${path}:${index + 1} has ${line.length} columns`)
    })
    for (const span of functionsOf(source)) {
      const limit = LONG_FUNCTIONS[`${path}: ${span.head}`] ?? FUNCTION_LINES_MAX
      if (span.lines > limit) problems.push(`${path}:${span.line} is ${span.lines} lines long`)
    }
  }
  equal(problems, [])
})

test('nothing is left for later, and no path of one machine is named', () => {
  const later = new RegExp(
    `\\b(${['TO', 'FIX'].map(word => `${word}${word === 'TO' ? 'DO' : 'ME'}`).join('|')})\\b`
  )
  const machine = new RegExp(`(^|[\\s'"\`(=])/(${['work', 'shared'].join('|')})/`)
  const texts = [...all, 'README.md', 'CHANGELOG.md', 'package.json', '.ci/run'].filter(path =>
    existsSync(join(ROOT, path))
  )
  const problems = texts.flatMap(path => {
    const text = readSource(path)
    return [...(later.test(text) ? [`${path}: left for later`] : [])].concat(
      machine.test(text) ? [`${path}: a path of one machine`] : []
    )
  })
  equal(problems, [])
})

test('the top level is the one of the architecture', () => {
  const made = new Set(['node_modules', 'dist', 'coverage'])
  const found = readdirSync(ROOT).filter(name => !name.startsWith('.') && !made.has(name))
  const expected = [
    ...['LICENSE', 'CHANGELOG.md', 'README.md', 'package.json', 'package-lock.json'],
    ...['tsconfig.json', ...FOLDERS]
  ]
  equal(found.sort(), expected.sort())
})

test('dependencies are pinned exactly', () => {
  const manifest = JSON.parse(readSource('package.json')) as Record<string, Record<string, string>>
  const ranges = ['dependencies', 'devDependencies'].flatMap(kind =>
    Object.entries(manifest[kind] ?? {}).filter(
      ([, version]) => !/^(npm:[@\w/-]+@)?\d+\.\d+\.\d+$/.test(version)
    )
  )
  equal(ranges, [])
})

test('commands that documents name exist', () => {
  const scripts = (JSON.parse(readSource('package.json')) as { scripts: Record<string, string> })
    .scripts
  const documents = [...all.filter(path => path.endsWith('.md')), 'README.md']
  const problems = documents
    .filter(path => existsSync(join(ROOT, path)))
    .flatMap(path => {
      const text = readSource(path)
      const runs = [...text.matchAll(/npm run ([\w:-]+)/g)].map(match => match[1] ?? '')
      const files = [...text.matchAll(/\.\/scripts\/([\w/.-]+\w)/g)].map(match => match[1] ?? '')
      return [
        ...runs.filter(name => scripts[name] === undefined).map(name => `${path}: npm run ${name}`),
        ...files
          .filter(name => !existsSync(join(ROOT, 'scripts', name)))
          .map(name => `${path}: ./scripts/${name}`)
      ]
    })
  equal(problems, [])
})

test('what people start has its run bit', () => {
  const started = ['.ci/run', 'scripts/test', 'scripts/demo', 'scripts/install']
  equal(
    started.filter(path => (statSync(join(ROOT, path)).mode & 0o111) === 0),
    []
  )
})

test('the simulator decides nothing that the cores decide', () => {
  const words =
    'suspicion|quorum|precedence|observers|rank|assign|verdict|tombstone|dominates|' +
    'knock|claim|settle'
  const form = `\\b(?:function|class|const|let)\\s+\\w*(?:${words})\\w*\\s*[=(<]`
  const decisions = new RegExp(form, 'i')
  const thresholds = /\b(?:1750|4000|1500|900|15_?000)\b/
  const problems = sources
    .filter(path => path.startsWith('test/sim/') && !path.endsWith('.test.ts'))
    .flatMap(path => {
      const code = codeOf(readSource(path))
      return [decisions, thresholds].flatMap(rule => {
        const found = rule.exec(code)
        return found === null ? [] : [`${path}: ${found[0].trim()}`]
      })
    })
  equal(problems, [])
})

test.run()
