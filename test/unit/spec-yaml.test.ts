import { equal, is, ok } from 'uvu/assert'
import { formatProblem, formatWithCaret, Report } from '../../src/spec/problem.ts'
import { decodeText } from '../../src/spec/text.ts'
import { nodeAt, positionOf, toPlain } from '../../src/spec/tree.ts'
import { loadYaml } from '../../src/spec/yaml.ts'
import { cpuCostMs } from '../helpers/cost.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('spec yaml')

function load(text: string) {
  const report = new Report('f.yaml')
  const { root } = loadYaml(text, report)
  return { root, plain: root === undefined ? undefined : toPlain(root), report }
}

function lines(text: string): string[] {
  return load(text).report.problems().map(formatProblem)
}

/** Own keys and values, whatever the prototype. */
function same(text: string, wanted: unknown): void {
  equal(JSON.parse(JSON.stringify(load(text).plain)), wanted)
}

test('a leading zero is octal as in Go, times and yes are text', () => {
  same('a: 0440\nb: 22:22\nc: yes\nd: 08\ne: 0o17\nf: 0x1f\ng: "0440"\nh: -010', {
    a: 288,
    b: '22:22',
    c: 'yes',
    d: 8,
    e: 15,
    f: 31,
    g: '0440',
    h: -8
  })
})

test('anchors, aliases and merge keys work, what is written wins', () => {
  same('x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: {<<: [*x, {c: 4, a: 9}]}\n"<<": q', {
    x: { a: 1, b: 2 },
    y: { a: 1, b: 3 },
    z: { a: 1, b: 2, c: 4 },
    '<<': 'q'
  })
})

test('keys that mean something to JavaScript are plain keys', () => {
  const { root, plain } = load('__proto__: {a: 1}\nconstructor: 2')
  is(Object.getPrototypeOf(plain), null)
  equal(Object.keys(plain as object), ['__proto__', 'constructor'])
  is(({} as Record<string, unknown>)['a'], undefined)
  ok(root !== undefined && nodeAt(root, ['__proto__', 'a']) !== undefined)
})

test('every value can be asked where it stands', () => {
  const { root } = load('services:\n  web:\n    ports:\n      - 80:80\n      - x\n    empty:\n')
  ok(root !== undefined)
  equal(positionOf(root, ['services', 'web', 'ports', 1]), { line: 5, column: 9 })
  equal(positionOf(root, ['services', 'web', 'empty']), { line: 6, column: 5 })
  equal(positionOf(root, ['services', 'web', 'missing', 'x']), { line: 3, column: 5 })
})

test('a duplicate key is an error that names both lines', () => {
  equal(lines('a: 1\nb: 2\na: 3\n'), [
    'error[INVALID]: a: duplicate key, lines 1 and 3 (f.yaml:3:1); keep one'
  ])
})

test('syntax errors have a line and a column, tabs among them', () => {
  equal(lines('a:\n\tb: 1\n'), [
    'error[INVALID]: not valid YAML: tabs are not allowed as indentation (f.yaml:2:1)'
  ])
  equal(lines('a: [1, 2\nb: 3\n').length > 0, true)
  ok(lines('a: "x\n')[0]?.includes('f.yaml:'))
})

test('unknown tags, aliases without anchors and aliases in themselves are errors', () => {
  equal(lines('a: !secret x'), [
    'error[INVALID]: a: the tag "!secret" is not known here (f.yaml:1:12); remove it'
  ])
  equal(lines('a: !reset null'), [
    'error[UNSUPPORTED]: a: the tag "!reset" is not known here (f.yaml:1:11); ' +
      'several files are not merged yet: write the result'
  ])
  equal(lines('a: *b'), ['error[INVALID]: a: no anchor "b" stands before this alias (f.yaml:1:4)'])
  equal(lines('a: &a [*a]'), ['error[INVALID]: a[0]: the alias "a" contains itself (f.yaml:1:8)'])
})

test('a second document is refused by its place, an empty one is not', () => {
  equal(lines('a: 1\n---\nb: 2\n'), [
    'error[UNSUPPORTED]: the file has 2 documents, one is read (f.yaml:2:1); ' +
      'put each project into a file of its own'
  ])
  equal(lines('---\na: 1\n---\n'), [])
  is(load('# nothing\n').root, undefined)
  is(load('---\n').root, undefined)
  is(load('').root, undefined)
})

function bomb(): string {
  const levels = Array.from({ length: 9 }, (_, index) => {
    const source = index === 0 ? '"lol"' : `*a${index - 1}`
    return `a${index}: &a${index} [${Array.from({ length: 10 }, () => source).join(', ')}]`
  })
  return `${levels.join('\n')}\nx: *a8\n`
}

test('an alias bomb and 10,000 levels end at a named limit in under 100 ms', async () => {
  load('a: 1')
  const hostile: [string, string, RegExp][] = [
    ['aliases', bomb(), /LIMIT.*more than 100000 values once aliases are expanded/],
    ['lists', '['.repeat(10_000), /LIMIT.*nested more than 64 levels deep/],
    ['mappings', '{a: '.repeat(10_000), /LIMIT.*nested more than 64 levels deep/],
    ['dashes', '- '.repeat(10_000), /LIMIT.*nested more than 64 levels deep/],
    ['questions', '? '.repeat(10_000), /LIMIT.*nested more than 64 levels deep/],
    [
      'indentation',
      Array.from({ length: 300 }, (_, index) => `${' '.repeat(index)}a:`).join('\n'),
      /LIMIT.*nested more than 64 levels deep/
    ],
    ['brackets', ']'.repeat(50_000), /INVALID.*not valid YAML/]
  ]
  for (const [name, text, wanted] of hostile) {
    const found = lines(text)
    const elapsedMs = await cpuCostMs(() => lines(text), 100)
    ok(wanted.test(found[0] ?? ''), `${name}: ${found[0]}`)
    ok(elapsedMs < 100, `${name} took ${elapsedMs.toFixed(0)} ms`)
  }
})

test('bytes: marks and CRLF are fine, NUL and other encodings are refused by offset', () => {
  const bytes = (...values: number[]) => decodeText(Uint8Array.from(values))
  equal(decodeText('\uFEFFa: 1\r\n'), { ok: true, text: 'a: 1\r\n' })
  equal(bytes(0xef, 0xbb, 0xbf, 0x61), { ok: true, text: 'a' })
  const faults: [number[], string][] = [
    [[0x61, 0xff], 'the file is not UTF-8: byte 1'],
    [[0x61, 0x62, 0xc3], 'the file is not UTF-8: byte 2'],
    [[0xc0, 0x80], 'the file is not UTF-8: byte 0'],
    [[0xed, 0xa0, 0x80], 'the file is not UTF-8: byte 0'],
    [[0x61, 0x00, 0xff], 'the file has a NUL byte: byte 1'],
    [[0xff, 0xfe, 0x61, 0x00], 'the file is not UTF-8: byte 0']
  ]
  for (const [values, message] of faults) {
    const decoded = bytes(...values)
    is(decoded.ok ? '' : decoded.message, message)
  }
  const large = decodeText(new Uint8Array(100 * 1024 * 1024))
  is(large.ok ? '' : large.message, 'the file has 104857600 bytes, at most 1048576 are read')
})

test('on a terminal the line is shown with a caret under the column', () => {
  const text = 'a: 1\nb: [\u001b[31m\n'
  const report = new Report('f.yaml')
  report.error('INVALID', { line: 2, column: 4 }, 'b', 'no list', 'write one')
  const [problem] = report.problems()
  ok(problem !== undefined)
  equal(formatWithCaret(problem, text).split('\n'), [
    'error[INVALID]: b: no list (f.yaml:2:4); write one',
    '   2 | b: [?[31m',
    '     |    ^'
  ])
})

test('names from files cannot rewrite a terminal', () => {
  ok(!lines('"\\u001b[2Jx": 1\n"\\u001b[2Jx": 2\n').join('').includes('\u001b'))
  ok(!lines('a: !\u202ex b').join('').includes('\u202e'))
})

test('a file with more problems than are kept says how many are left out', () => {
  const text = `${'a: 1\n'.repeat(150)}`
  const found = lines(text)
  is(found.length, 101)
  is(found.at(-1), 'error[INVALID]: and 49 more problems (f.yaml)')
})

test.run()
