/** The real store under real faults: a killed writer, a full disk. */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, statfsSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { equal, is, ok } from 'uvu/assert'
import { LevelStore } from '../../node/store/level-store.ts'
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
    const store = await LevelStore.open({ dir, node: 'n', mesh: 'm', ballastBytes: 0 })
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

test('a full disk: a typed failure, every acknowledged write survives, the ballast lets it start', {
  requires: ['root', 'linux'],
  timeoutMs: 30_000
}, async context => {
  const mount = join(await makeDir(context), 'disk')
  await mkdir(mount)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=700', 'tmpfs', mount])
  context.cleanup(() => execFileSync('umount', [mount]))
  const dir = join(mount, 'store')
  const options = { dir, node: 'n', mesh: 'm', ballastBytes: 12 * 1024 * 1024 }
  const store = await LevelStore.open(options)
  ok(existsSync(join(dir, 'ballast')))
  const { bavail, bsize } = statfsSync(mount)
  writeFileSync(join(mount, 'filler'), Buffer.alloc(bavail * bsize - 3 * 1024 * 1024))
  let acknowledged = 0
  let failure: unknown
  while (failure === undefined) {
    const value = new Uint8Array(64 * 1024).fill(acknowledged)
    const key = `own/n/${String(acknowledged).padStart(6, '0')}`
    await store.write([{ key, value }], true).then(
      () => {
        acknowledged += 1
      },
      (error: unknown) => {
        failure = error
      }
    )
    ok(acknowledged < 1_000, 'the disk never filled')
  }
  ok(failure instanceof StoreFailure)
  equal([failure.code, failure.mustExit], ['UNKNOWN_OUTCOME', true])
  ok(/No space left/.test(failure.message), failure.message)
  const again = await store.write([{ key: 'k', value: null }], false).catch((e: unknown) => e)
  is(again, failure, 'nothing is written after a failure')
  await store.close()
  const reopened = await LevelStore.open(options)
  is(reopened.amnesiac, undefined)
  const kept = await reopened.read('own/n/')
  ok(kept.length >= acknowledged, `${kept.length} of ${acknowledged}`)
  is(existsSync(join(dir, 'ballast')), false, 'the ballast gave its room')
  await reopened.close()
})

test.run()
