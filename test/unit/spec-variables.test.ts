// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of Compose variables
import { equal, is } from 'uvu/assert'
import { parseDotenv } from '../../src/spec/compose/dotenv.ts'
import { interpolate } from '../../src/spec/compose/interpolate.ts'
import { splitWords } from '../../src/spec/compose/words.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('spec variables')

const vars: Readonly<Record<string, string>> = { V: 'value', E: '', N: '3', A: '$V' }
const lookup = (name: string) => (Object.hasOwn(vars, name) ? vars[name] : undefined)

test('every operator of Compose gives what Compose gives', () => {
  const rows: [string, string, string[]][] = [
    ['plain', 'plain', []],
    ['$V', 'value', []],
    ['${V}', 'value', []],
    ['a$V-b', 'avalue-b', []],
    ['$U', '', ['U']],
    ['${U}', '', ['U']],
    ['$E', '', []],
    ['${U:-d}', 'd', []],
    ['${E:-d}', 'd', []],
    ['${E-d}', '', []],
    ['${U-d}', 'd', []],
    ['${V:-d}', 'value', []],
    ['${V:?e}', 'value', []],
    ['${E?e}', '', []],
    ['${V:+a}', 'a', []],
    ['${E:+a}', '', []],
    ['${E+a}', 'a', []],
    ['${U+a}', '', []],
    ['${U:-${V}}', 'value', []],
    ['${U:-${W:-x-${N}}}', 'x-3', []],
    ['${V:-${U:?not needed}}', 'value', []],
    ['${V:+${U}}', '', ['U']],
    ['${E:+${U}}', '', []],
    ['$$V', '$V', []],
    ['$$$V', '$value', []],
    ['$${V}', '${V}', []],
    ['$A', '$V', []],
    ['${U:-a b:c/d}', 'a b:c/d', []],
    ['${U:-}', '', []]
  ]
  for (const [text, wanted, unset] of rows) {
    const result = interpolate(text, lookup)
    is(result.ok ? result.text : result.fault.message, wanted, text)
    equal(result.ok ? result.unset.map(one => one.name) : [], unset, text)
  }
})

test('what is no variable and what is required are faults with their offset', () => {
  const rows: [string, number, string][] = [
    ['${U:?need U}', 0, 'the required variable U is not set: "need U"'],
    ['x ${E:?}', 2, 'the required variable E is empty'],
    ['${U?}', 0, 'the required variable U is not set'],
    ['ab $1', 3, '"$1" is not a variable'],
    ['$', 0, '"$" is not a variable'],
    ['${', 0, 'no variable name after "${"'],
    ['${}', 0, 'no variable name after "${"'],
    ['${V', 0, '"${V" is not closed'],
    ['${V:-x', 0, '"${V" is not closed'],
    ['${V!x}', 0, 'after "${V" comes }, or one of :- :? :+ - ? +'],
    ['${A:-'.repeat(20), 80, 'variables nested over 16 deep']
  ]
  for (const [text, offset, message] of rows) {
    const result = interpolate(text, lookup)
    equal(
      result.ok ? result.text : result.fault,
      { ...(result.ok ? {} : result.fault), offset, message },
      text
    )
  }
})

function env(text: string, raw = false) {
  const { values, faults, unset } = parseDotenv(text, { lookup, raw })
  return { values: Object.fromEntries(values), faults, unset }
}

test('env files have the grammar of Compose', () => {
  const text = [
    '\uFEFF# comment',
    '',
    'A1=plain # comment',
    'A2=a#b',
    'export A3=x',
    'A4: yaml style',
    "A5='as $V \\n written' # c",
    'A6="tab\\tdollar \\$V and $V"',
    'A7="two',
    'lines"',
    'A8=',
    'A9=$A2/${U:-d}',
    'V',
    'U',
    'A10=  spaced  ',
    'A11=$U'
  ].join('\r\n')
  equal(env(text), {
    values: {
      A1: 'plain',
      A2: 'a#b',
      A3: 'x',
      A4: 'yaml style',
      A5: 'as $V \\n written',
      A6: 'tab\tdollar $V and value',
      A7: 'two\nlines',
      A8: '',
      A9: 'a#b/d',
      V: 'value',
      A10: 'spaced',
      A11: ''
    },
    faults: [],
    unset: ['U']
  })
})

test('raw env files keep values as written', () => {
  equal(env(`A='x' # $V\n`, true).values, { A: "'x' # $V" })
})

test('faults in env files have line and column', () => {
  equal(env('A=1\n=x\n').faults, [{ line: 2, column: 1, message: 'not NAME=value: "=x"' }])
  equal(env('A="x\nB=1\n').faults, [
    { line: 1, column: 3, message: 'the double quote of A is not closed' }
  ])
  equal(env('A=${V\n').faults, [
    { line: 1, column: 3, message: '"${V" is not closed', hint: 'write $$ for a dollar sign' }
  ])
})

test('commands are cut into words without a shell', () => {
  const rows: [string, string[]][] = [
    ['a b  c', ['a', 'b', 'c']],
    [`sh -c "echo 'x y' && z"`, ['sh', '-c', `echo 'x y' && z`]],
    [`'a b' c\\ d`, ['a b', 'c d']],
    [`"a\\"b" 'c\\d'`, ['a"b', 'c\\d']],
    [`a"b c"d`, ['ab cd']],
    [`''`, ['']],
    ['', []],
    ['  ', []],
    ['a \\\n b', ['a', 'b']]
  ]
  for (const [text, words] of rows) {
    const result = splitWords(text)
    equal(result.ok ? result.words : result.message, words, text)
  }
  equal(splitWords('echo "x'), { ok: false, offset: 5, message: 'a double quote is not closed' })
  const signs = splitWords('echo a; echo b && c "&&"')
  equal(signs.ok ? signs.shellSigns : [], [';', '&&'])
})

test.run()
