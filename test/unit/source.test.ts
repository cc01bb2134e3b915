import { equal } from 'uvu/assert'
import { codeOf, functionsOf, importsOf } from '../helpers/source.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('source')

const words = (text: string): string[] => codeOf(text).match(/\w+/g) ?? []

test('comments, strings, templates and regular expressions are no code', () => {
  equal(words("a = 'Date' // Date\nb /* Date */"), ['a', 'b'])
  const open = '$' + '{'
  equal(words(`a = \`Date ${open}real(\`Date ${open}inner}\`)} Date\``), ['a', 'real', 'inner'])
  equal(words(`x = \`it's ${open}b} // no comment\`; after`), ['x', 'b', 'after'])
  equal(words("x.replace(/'Date/g, y); z"), ['x', 'replace', 'y', 'z'])
})

test('every form of import is found, and none in a comment', () => {
  const text = [
    "import { a } from './a.ts'",
    "import './b.ts'",
    "export { c } from './c.ts'",
    "const d = await import('./d.ts')",
    "// import './e.ts'",
    'import {',
    '  type F',
    "} from './f.ts'"
  ].join('\n')
  equal(importsOf(text), ['./a.ts', './b.ts', './c.ts', './d.ts', './f.ts'])
})

test('a function is counted from its head to its closing brace', () => {
  const text = [
    'export async function first(',
    '  a: number',
    '): Promise<void> {',
    '  if (a > 1) {',
    '    b()',
    '  }',
    '}',
    'class C {',
    '  method(): number {',
    '    return list.map(x => {',
    '      return x',
    '    })',
    '  }',
    '}'
  ].join('\n')
  equal(
    functionsOf(text).map(({ line, lines }) => [line, lines]),
    [
      [1, 7],
      [9, 5],
      [10, 3]
    ]
  )
})

test.run()
