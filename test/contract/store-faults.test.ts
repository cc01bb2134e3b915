/** The real store under real faults: a killed writer, a full disk. */
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, statfsSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { equal, is, match, ok } from 'uvu/assert'
import { onDisk } from '../../node/store/files.ts'
import { LevelStore } from '../../node/store/level-store.ts'
import { openPatiently } from '../../node/store/open-patiently.ts'
import type { StoreOptions } from '../../node/store/opening.ts'
import { StoreFailure } from '../../node/store/store.ts'
import { suite, type TestContext } from '../helpers/suite.ts'

const test = suite('store, faults')
const WRITER = fileURLToPath(new URL('../helpers/store-writer.ts', import.meta.url))

async function makeDir(context: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'shoal-store-'))
  context.cleanup(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** Lets the writer acknowledge `count` batches, kills it, gives the last number it told. */
async function killAfter(dir: string, count: number, signal: AbortSignal): Promise<number> {
  const child = spawn(process.execPath, ['--import', 'tsx', WRITER, dir], {
    ...{ stdio: ['ignore', 'pipe', 'inherit'], signal, killSignal: 'SIGKILL' as const }
  })
  let text = ''
  let told = 0
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (chunk: string) => {
    text += chunk
    told += chunk.split('\n').length - 1
    if (told >= count) child.kill('SIGKILL')
  })
  await new Promise(resolve => child.once('close', resolve))
  const whole = text.slice(0, text.lastIndexOf('\n'))
  return Number(whole.slice(whole.lastIndexOf('\n') + 1))
}

test('a writer killed in the middle: all it acknowledged is there, and no alarm', {
  timeoutMs: 60_000
}, async context => {
  const dir = join(await makeDir(context), 'store')
  for (const count of [40, 537]) {
    const last = await killAfter(dir, count, context.signal)
    ok(last >= count - 1)
    const store = await LevelStore.open({ ...onDisk(dir), node: 'n', mesh: 'm', ballastBytes: 0 })
    is(store.amnesiac, undefined)
    const records = await store.read('own/n/')
    ok(records.length >= last + 1, `${records.length} of ${last + 1}`)
    records.forEach(({ key, value }, index) => {
      is(key, `own/n/${String(index).padStart(8, '0')}`)
      is(Buffer.from(value).toString(), `value ${index}`.repeat(20))
    })
    await store.close()
  }
})

/** A small file system of its own, and the store on it with all but 3 MiB taken. */
async function fullDisk(context: TestContext): Promise<{
  readonly options: StoreOptions
  readonly filler: string
  readonly told: (string | undefined)[]
}> {
  const mount = join(await makeDir(context), 'disk')
  await mkdir(mount)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=80m,mode=700', 'tmpfs', mount])
  context.cleanup(() => execFileSync('umount', [mount]))
  const dir = join(mount, 'store')
  const told: (string | undefined)[] = []
  const onTrouble = (trouble: string | undefined): void => void told.push(trouble)
  return {
    options: { ...onDisk(dir), node: 'n', mesh: 'm', ballastBytes: 12 * 1024 * 1024, onTrouble },
    filler: join(mount, 'filler'),
    told
  }
}

function fill(filler: string, leaveBytes: number): void {
  const { bavail, bsize } = statfsSync(dirname(filler))
  writeFileSync(filler, Buffer.alloc(bavail * bsize - leaveBytes))
}

/** Writes until one hangs on the full disk; gives those that were acknowledged, and the one. */
async function writeUntilFull(
  store: LevelStore,
  dir: string
): Promise<{ readonly acknowledged: number; readonly hanging: Promise<void> }> {
  for (let number = 0; number < 1_000; number += 1) {
    // Random, or LevelDB makes it small.
    const key = `own/n/${String(number).padStart(6, '0')}`
    const write = store.write([{ key, value: new Uint8Array(randomBytes(64 * 1024)) }], true)
    while (store.trouble === undefined || existsSync(join(dir, 'ballast'))) {
      const isDone = await Promise.race([write.then(() => true), nextTurn(false)])
      if (isDone) break
    }
    if (store.trouble === undefined) continue
    return { acknowledged: number, hanging: write }
  }
  throw new Error('the disk never filled')
}

const FULL = { requires: ['root', 'linux'], timeoutMs: 30_000 } as const

test(
  'a full disk: nothing is acknowledged, nothing is lost, and it goes on with room',
  FULL,
  async context => {
    const { options, filler, told } = await fullDisk(context)
    const store = await LevelStore.open(options)
    ok(existsSync(join(options.medium.where, 'ballast')))
    fill(filler, 3 * 1024 * 1024)
    const { acknowledged, hanging } = await writeUntilFull(store, options.medium.where)
    match(store.trouble ?? '', /^no space left on the disk of \S+ \(\d+ KiB free\)/)
    const later = store.write([{ key: 'own/n/later', value: Uint8Array.of(1) }], true)
    await rm(filler)
    await Promise.all([hanging, later])
    is(store.trouble, undefined)
    ok(existsSync(join(options.medium.where, 'ballast')), 'the ballast is back')
    match(told[0] ?? '', /no space left/)
    is(told.at(-1), undefined)
    equal((await store.read('own/n/')).length, acknowledged + 2)
    await store.close()
    const reopened = await LevelStore.open(options)
    is(reopened.amnesiac, undefined)
    equal((await reopened.read('own/n/')).length, acknowledged + 2)
    await reopened.close()
  }
)

test(
  'a store closed on a full disk: its write is unknown, all acknowledged ones are there',
  FULL,
  async context => {
    const { options, filler } = await fullDisk(context)
    const store = await LevelStore.open(options)
    fill(filler, 3 * 1024 * 1024)
    const { acknowledged, hanging } = await writeUntilFull(store, options.medium.where)
    const [failure] = await Promise.all([hanging.catch((error: unknown) => error), store.close()])
    ok(failure instanceof StoreFailure)
    equal([failure.code, failure.mustExit], ['UNKNOWN_OUTCOME', true])
    fill(`${filler}-rest`, 0)
    const stopped = new AbortController()
    let trouble = ''
    const onTrouble = (text: string | undefined): void => {
      trouble = text ?? ''
      stopped.abort()
    }
    const given = await openPatiently({ ...options, onTrouble }, stopped.signal).catch(() => 'up')
    equal([given, /no space left/.test(trouble)], ['up', true])
    await Promise.all([rm(filler), rm(`${filler}-rest`)])
    const reopened = await openPatiently(options, context.signal)
    is(reopened.amnesiac, undefined)
    const kept = await reopened.read('own/n/')
    ok(kept.length >= acknowledged, `${kept.length} of ${acknowledged}`)
    await reopened.close()
  }
)

test.run()
