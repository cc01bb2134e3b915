/** What every store promises, checked on the one in memory and on the real one. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { equal, is, ok } from 'uvu/assert'
import { onDisk } from '../../node/store/files.ts'
import { LevelStore } from '../../node/store/level-store.ts'
import { MemoryStore } from '../../node/store/memory-store.ts'
import { AMNESIA_KEY, type Store } from '../../node/store/store.ts'
import { suite, type TestContext } from '../helpers/suite.ts'

const test = suite('stores')
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const put = (key: string, text: string): { key: string; value: Uint8Array } => ({
  key,
  value: bytes(text)
})

async function memory(context: TestContext): Promise<Store> {
  const store = new MemoryStore()
  context.cleanup(() => store.close())
  return store
}

async function level(context: TestContext): Promise<Store> {
  const dir = await mkdtemp(join(tmpdir(), 'shoal-store-'))
  context.cleanup(() => rm(dir, { recursive: true, force: true }))
  const store = await LevelStore.open({
    ...onDisk(join(dir, 'store')),
    ...{ node: 'n', mesh: 'm', ballastBytes: 0 }
  })
  context.cleanup(() => store.close())
  return store
}

for (const [name, open] of Object.entries({ memory, level })) {
  test(`${name}: what was written is read, sorted, by prefix`, async context => {
    const store = await open(context)
    await store.write([put('own/b', '2'), put('own/a', '1'), put('shared/x', '3')], true)
    const found = await store.read('own/')
    equal(
      found.map(({ key, value }) => [key, Buffer.from(value).toString()]),
      [
        ['own/a', '1'],
        ['own/b', '2']
      ]
    )
    is((await store.read('')).length, 3)
    is((await store.read('own/aa')).length, 0)
    ok(found.every(({ value }) => value.constructor === Uint8Array))
  })

  test(`${name}: null deletes, and the last word on a key in a batch counts`, async context => {
    const store = await open(context)
    await store.write([put('k', '1'), put('k', '2')], false)
    equal(await store.read('k'), [put('k', '2')])
    await store.write([put('k', '3'), { key: 'k', value: null }], false)
    await store.write([{ key: 'never', value: null }], true)
    equal(await store.read(''), [])
    is(store.stats().records, 0)
    is(store.stats().bytes, 0)
  })

  test(`${name}: writes that overlap keep their order`, async context => {
    const store = await open(context)
    const writes = Array.from({ length: 200 }, (_, i) =>
      store.write([put(`k${i % 7}`, `${i}`)], i % 5 === 0)
    )
    await Promise.all(writes)
    const values = (await store.read('k')).map(({ value }) => Number(Buffer.from(value)))
    equal(values.sort(), [193, 194, 195, 196, 197, 198, 199])
  })

  test(`${name}: a caller's bytes are its own`, async context => {
    const store = await open(context)
    const value = bytes('before')
    const written = store.write([{ key: 'k', value }], false)
    await written
    value.fill(0)
    const [read] = await store.read('k')
    is(Buffer.from(read?.value ?? []).toString(), 'before')
    read?.value.fill(0)
    is(Buffer.from((await store.read('k'))[0]?.value ?? []).toString(), 'before')
  })

  test(`${name}: amnesia lasts as long as its record`, async context => {
    const store = await open(context)
    is(store.amnesiac, undefined)
    await store.write([{ key: AMNESIA_KEY, value: null }], true)
    is(store.amnesiac, undefined)
  })

  test(`${name}: keys of the store itself are refused`, async context => {
    const store = await open(context)
    let refused = ''
    await store.write([put('!meta', 'x')], true).catch((error: Error) => {
      refused = error.name
    })
    is(refused, 'AssertionError')
  })
}

test.run()
