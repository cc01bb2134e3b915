/** Parts of a start: kept options, directories and files that people name, what a log says. */
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { equal, is, match, throws } from 'uvu/assert'
import { keepOptions } from '../../node/kept.ts'
import { createLog, logFatal } from '../../node/log.ts'
import {
  limitedFile,
  limitedText,
  makeDirectory,
  reasonOfPath,
  SMALL_FILE_BYTES_MAX
} from '../../src/api/files.ts'
import { keepable, mergeOptions, readKeptOptions } from '../../src/api/kept-options.ts'
import { ShoalError } from '../../src/errors.ts'
import { suite, type TestContext } from '../helpers/suite.ts'

const test = suite('parts of a start', { requires: ['linux'] })

function folder(context: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-start-'))
  context.cleanup(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

const silent = createLog({ node: 'test', level: 'silent', format: 'json' })

function thrown(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}

test('options that were given are kept, but not where to look and what to join', async context => {
  const dir = folder(context)
  const given = { name: 'a', listen: ['/ip4/127.0.0.1/tcp/1'], zone: '', 'log-level': 'debug' }
  const start = { 'data-dir': dir, socket: '/s', join: ['/ip4/1.2.3.4/tcp/1'], 'token-file': '-' }
  equal(keepable({ ...given, ...start }), given)
  await keepOptions({ log: silent }, dir, { ...given, ...start })
  equal(readKeptOptions(dir), given)
  is(statSync(join(dir, 'options.json')).mode & 0o777, 0o600)
  equal(readKeptOptions(join(dir, 'nothing')), {})
})

test('given options win over kept ones, and only a change is said', () => {
  const kept = { name: 'a', zone: 'z', label: ['a=b'] }
  const { values, notes } = mergeOptions(kept, { name: 'a', label: ['c=d'], cpus: '2' })
  equal(values, { name: 'a', zone: 'z', label: ['c=d'], cpus: '2' })
  equal(notes, ['--label now c=d; was a=b'])
})

test('a damaged file of options is refused by name, whatever is wrong', context => {
  const dir = folder(context)
  const path = join(dir, 'options.json')
  const damages = [
    ['', /is no JSON/],
    ['null', /holds no options/],
    ['{"version":1}', /holds no options/],
    ['{"version":2,"options":{}}', /a newer program kept/],
    ['{"version":1,"options":{"socket":"/x"}}', /"socket" is no option of a node/],
    ['{"version":1,"options":{"constructor":"x"}}', /"constructor" is no option/],
    ['{"version":1,"options":{"__proto__":"x"}}', /"__proto__" is no option/],
    ['{"version":1,"options":{"name":["x"]}}', /"name" is no option/],
    ['{"version":1,"options":{"listen":"/x"}}', /"listen" is no option/],
    ['{"version":1,"options":{"listen":["nowhere"]}}', /are damaged: "nowhere" is not a multiaddr/],
    [' '.repeat(SMALL_FILE_BYTES_MAX + 1), /is too large/]
  ] as const
  for (const [text, expected] of damages) {
    writeFileSync(path, text, { mode: 0o600 })
    const error = thrown(() => readKeptOptions(dir))
    is(error instanceof ShoalError && error.code, 'STORE', text.slice(0, 60))
    match((error as ShoalError).message, expected)
    is((error as ShoalError).where, path)
  }
  rmSync(path)
  symlinkSync('/dev/zero', path)
  throws(() => readKeptOptions(dir), /no regular file/)
})

test('a directory is made with its parents, or refused at once', context => {
  const dir = folder(context)
  const path = join(dir, 'a/b/c')
  is(makeDirectory(path, 0o700), join(dir, 'a'))
  is(statSync(path).mode & 0o777, 0o700)
  is(makeDirectory(path, 0o700), undefined)
  writeFileSync(join(dir, 'file'), '')
  const cases = [
    ['/proc/shoal/a/b', 'nothing can be made here'],
    [join(dir, 'file/a'), 'a part of the path is no directory'],
    [join(dir, 'file'), 'a part of the path is no directory']
  ] as const
  for (const [bad, reason] of cases)
    is(reasonOfPath(thrown(() => makeDirectory(bad, 0o700))), reason)
  symlinkSync(join(dir, 'gone'), join(dir, 'dangling'))
  is((thrown(() => makeDirectory(join(dir, 'dangling/a'), 0o700)) as Error).name, 'Error')
  is(existsSync(join(dir, 'gone')), false)
})

test('a file without an end is read to its limit only', async context => {
  is(await limitedFile('/dev/zero', SMALL_FILE_BYTES_MAX), undefined)
  const path = join(folder(context), 'file')
  writeFileSync(path, 'x'.repeat(5_000))
  is(await limitedFile(path, 5_000), 'x'.repeat(5_000))
  is(await limitedFile(path, 4_999), undefined)
  const source = async function* (): AsyncGenerator<Buffer> {
    for (;;) yield Buffer.alloc(1_000)
  }
  is(await limitedText(source(), 10_000), undefined)
})

test('a fatal line is for people; the stack comes with bugs and at debug level', context => {
  const path = join(folder(context), 'log')
  const said = (level: string, error: unknown): string => {
    rmSync(path, { force: true })
    const fd = openSync(path, 'w')
    logFatal(createLog({ node: 'n', level, format: 'text', fd }), error)
    closeSync(fd)
    return readFileSync(path, 'utf8')
  }
  const known = new ShoalError('STORE', 'the disk fails', { where: '/d', hint: 'replace it' })
  match(
    said('info', known),
    /fatal n: cannot go on error=error\[STORE\]: the disk fails \(\/d\); repl/
  )
  is(/stack=|\.ts:/.test(said('info', known)), false)
  match(said('debug', known), /stack=.*\.ts:/s)
  match(said('info', new TypeError('x is no function')), /stack=.*\.ts:/s)
})

test('a log whose disk is full ends nothing', () => {
  const fd = openSync('/dev/full', 'w')
  const log = createLog({ node: 'n', level: 'info', format: 'json', fd })
  for (let line = 0; line < 100; line += 1) log.info({ line }, 'x'.repeat(10_000))
  closeSync(fd)
})

test.run()
