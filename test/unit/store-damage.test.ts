/** The damage table of a thousand keys: whatever is done to the files, no silent smaller state. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { equal, is, match, ok } from 'uvu/assert'
import { onDisk } from '../../node/store/files.ts'
import { LevelStore } from '../../node/store/level-store.ts'
import { AMNESIA_KEY } from '../../node/store/store.ts'
import { ShoalError } from '../../src/errors.ts'
import { suite, type TestContext } from '../helpers/suite.ts'

/** `level`'s types leave it out, as browsers have no such thing. */
interface Compactable {
  compactRange(start: string, end: string): Promise<void>
}

const test = suite('store, damaged')
const KEYS = 1_000

async function makeDir(context: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'shoal-store-'))
  context.cleanup(() => rm(dir, { recursive: true, force: true }))
  return join(dir, 'store')
}

function open(dir: string, ballastBytes = 0): Promise<LevelStore> {
  return LevelStore.open({ ...onDisk(dir), node: 'node-a', mesh: 'mesh-a', ballastBytes })
}

async function faultOf(opening: Promise<LevelStore>): Promise<ShoalError> {
  try {
    const store = await opening
    await store.close()
  } catch (error) {
    if (error instanceof ShoalError) return error
    throw error
  }
  throw new Error('it opened')
}

/** A store of 1,000 keys in 10 synced batches; `tables`: in `.ldb` files, else in the log. */
async function fill(dir: string, tables = false): Promise<void> {
  const store = await open(dir)
  for (let i = 0; i < KEYS; i += 100) {
    const batch = Array.from({ length: 100 }, (_, j) => ({
      key: `own/n/${String(i + j).padStart(6, '0')}`,
      value: new Uint8Array(Buffer.from(`value ${i + j} `.repeat(10)))
    }))
    await store.write(batch, true)
  }
  await store.close()
  if (!tables) return
  const database = new Level<string, string>(join(dir, 'db'))
  await database.open()
  await (database as unknown as Compactable).compactRange('!', '~')
  await database.close()
}

function fileOf(dir: string, pattern: RegExp): string {
  const found = readdirSync(join(dir, 'db'))
    .filter(name => pattern.test(name))
    .map(name => join(dir, 'db', name))
    .sort((a, b) => statSync(b).size - statSync(a).size)
  const [path] = found
  if (path === undefined) throw new Error(`no file ${pattern}`)
  return path
}

async function flip(path: string, at: number): Promise<void> {
  const content = await readFile(path)
  content[at] = (content[at] ?? 0) ^ 0x40
  await writeFile(path, content)
}

interface Damage {
  readonly tables?: boolean
  readonly reason: RegExp
  /** At least so many records are got out of it. */
  readonly saved: number
  readonly harm: (dir: string) => Promise<void>
}

const half = (path: string): number => Math.floor(statSync(path).size / 2)

const DAMAGES: Record<string, Damage> = {
  'one byte of the log flipped': {
    ...{ reason: /records/, saved: 500 },
    harm: dir => flip(fileOf(dir, /\.log$/), half(fileOf(dir, /\.log$/)))
  },
  'a page of the log zeroed': {
    ...{ reason: /records/, saved: 500 },
    harm: async dir => {
      const path = fileOf(dir, /\.log$/)
      const content = await readFile(path)
      content.fill(0, 40_960, 45_056)
      await writeFile(path, content)
    }
  },
  'the log truncated to half': {
    ...{ reason: /batches are gone/, saved: 400 },
    harm: dir => truncate(fileOf(dir, /\.log$/), half(fileOf(dir, /\.log$/)))
  },
  'the log truncated by its last batch': {
    ...{ reason: /batches are gone/, saved: 900 },
    harm: async dir => {
      const path = fileOf(dir, /\.log$/)
      await truncate(path, statSync(path).size - 10)
    }
  },
  'the log removed': {
    ...{ reason: /gone|own record/, saved: 0 },
    harm: dir => rm(fileOf(dir, /\.log$/))
  },
  'CURRENT removed': {
    ...{ tables: true, reason: /does not open/, saved: 900 },
    harm: dir => rm(join(dir, 'db', 'CURRENT'))
  },
  'CURRENT emptied': {
    ...{ tables: true, reason: /does not open/, saved: 900 },
    harm: dir => truncate(join(dir, 'db', 'CURRENT'), 0)
  },
  'one byte of the MANIFEST flipped': {
    ...{ tables: true, reason: /does not open|records|gone/, saved: 0 },
    harm: dir => flip(fileOf(dir, /^MANIFEST/), half(fileOf(dir, /^MANIFEST/)))
  },
  'a table removed': {
    ...{ tables: true, reason: /does not open/, saved: 0 },
    harm: dir => rm(fileOf(dir, /\.ldb$/))
  },
  'one byte of a table flipped': {
    ...{ tables: true, reason: /checksum|read through|records|does not open/, saved: 0 },
    harm: dir => flip(fileOf(dir, /\.ldb$/), half(fileOf(dir, /\.ldb$/)))
  },
  'the database directory removed': {
    ...{ reason: /does not open/, saved: 0 },
    harm: dir => rm(join(dir, 'db'), { recursive: true })
  },
  'the anchor removed': {
    ...{ reason: /anchor is gone/, saved: KEYS },
    harm: dir => rm(join(dir, 'anchor'))
  },
  'the anchor overwritten': {
    ...{ reason: /anchor is damaged/, saved: KEYS },
    harm: dir => writeFile(join(dir, 'anchor'), 'nonsense')
  },
  'the marker overwritten': {
    ...{ reason: /marker is damaged/, saved: KEYS },
    harm: dir => writeFile(join(dir, 'store.json'), '{')
  },
  'the marker and the database removed': {
    ...{ reason: /does not open/, saved: 0 },
    harm: async dir => {
      await rm(join(dir, 'store.json'))
      await rm(join(dir, 'db'), { recursive: true })
    }
  },
  'a record swapped for a sound one of the past': {
    ...{ reason: /not those last written/, saved: KEYS },
    harm: async dir => {
      const database = new Level<string, Uint8Array>(join(dir, 'db'), { valueEncoding: 'view' })
      await database.open()
      const { wrap } = await import('../../node/store/checksum.ts')
      const key = 'own/n/000007'
      await database.put(key, wrap(key, new Uint8Array(Buffer.from('older'))).bytes)
      await database.close()
    }
  }
}

for (const [name, { tables = false, reason, saved, harm }] of Object.entries(DAMAGES)) {
  test(`${name}: amnesia with a reason, nothing deleted, the sound records kept`, async context => {
    const dir = await makeDir(context)
    await fill(dir, tables)
    await harm(dir)
    const store = await open(dir)
    match(store.amnesiac ?? 'not noticed', reason)
    ok(store.stats().salvaged >= saved, `${store.stats().salvaged} salvaged`)
    is(store.stats().quarantined, 1)
    ok(readdirSync(join(dir, 'quarantine', '1')).length >= 0)
    for (const { key, value } of await store.read('own/')) {
      const expected = `value ${Number(key.slice(6))} `.repeat(10)
      const text = Buffer.from(value).toString()
      ok(text === expected || text === 'older', `${key} is sound`)
    }
    await store.write([{ key: 'own/n/new', value: new Uint8Array([1]) }], true)
    await store.close()
    const again = await open(dir)
    match(again.amnesiac ?? 'forgotten', reason)
    await again.write([{ key: AMNESIA_KEY, value: null }], true)
    is(again.amnesiac, undefined)
    await again.close()
    const cured = await open(dir)
    is(cured.amnesiac, undefined)
    is(cured.stats().quarantined, 1)
    await cured.close()
  })
}

test('a start that is killed before it has taken over what is sound leaves that to the next', async context => {
  for (const isMade of [false, true]) {
    const dir = await makeDir(context)
    await fill(dir)
    await writeFile(join(dir, 'anchor'), 'damaged')
    const { medium, clock } = onDisk(dir)
    const killed = async (): Promise<never> => {
      if (isMade) await mkdir(join(dir, 'db'))
      throw new Error('killed')
    }
    const openDatabase: typeof medium.openDatabase = create =>
      create ? killed() : medium.openDatabase(false)
    const names = { node: 'node-a', mesh: 'mesh-a', ballastBytes: 0 }
    for (let starts = 1; starts <= 3; starts += 1) {
      const opening = LevelStore.open({ medium: { ...medium, openDatabase }, clock, ...names })
      is(await opening.then(String, error => error.message), 'killed')
    }
    const store = await open(dir)
    ok(store.amnesiac !== undefined, 'it asks its peers')
    is((await store.read('own/')).length, KEYS)
    await store.close()
  }
})

test('what was set aside long ago is not taken for what a begun database held', async context => {
  const dir = await makeDir(context)
  await fill(dir)
  await writeFile(join(dir, 'anchor'), 'damaged')
  await (await open(dir)).close()
  await rm(join(dir, 'db'), { recursive: true })
  const store = await open(dir)
  match(store.amnesiac ?? 'not noticed', /does not open/)
  is((await store.read('own/')).length, 0)
  await store.close()
})

test('an untouched store opens with all of it, from the log and from tables', async context => {
  for (const tables of [false, true]) {
    const dir = await makeDir(context)
    await fill(dir, tables)
    const store = await open(dir)
    is(store.amnesiac, undefined)
    is((await store.read('own/')).length, KEYS)
    await store.close()
  }
})

test('a lost marker alone loses nothing', async context => {
  const dir = await makeDir(context)
  await fill(dir)
  await rm(join(dir, 'store.json'))
  const store = await open(dir)
  is(store.amnesiac, undefined)
  is((await store.read('own/')).length, KEYS)
  await store.close()
  match(readFileSync(join(dir, 'store.json'), 'utf8'), /mesh-a/)
})

test('an opening that was killed before it was done is done again', async context => {
  const dir = await makeDir(context)
  const store = await open(dir)
  await store.close()
  await rm(join(dir, 'store.json'))
  await rm(join(dir, 'anchor'))
  const again = await open(dir)
  is(again.amnesiac, undefined)
  await again.close()
  await rm(join(dir, 'store.json'))
  await rm(join(dir, 'anchor'))
  await rm(join(dir, 'db', 'CURRENT'))
  const third = await open(dir)
  is(third.amnesiac, undefined, 'nothing was ever in it')
  await third.close()
})

test('a store of another node, another mesh or a newer shoald is refused and left alone', async context => {
  const dir = await makeDir(context)
  await fill(dir)
  const before = readdirSync(join(dir, 'db')).sort()
  const other = { ...onDisk(dir), ballastBytes: 0 }
  const foreign = await faultOf(LevelStore.open({ ...other, node: 'node-b', mesh: 'mesh-a' }))
  match(foreign.message, /belongs to node node-a, not to node-b/)
  const mesh = await faultOf(LevelStore.open({ ...other, node: 'node-a', mesh: 'mesh-b' }))
  match(mesh.message, /belongs to mesh mesh-a/)
  const marker = { schema: 99, node: 'node-a', mesh: 'mesh-a' }
  await writeFile(join(dir, 'store.json'), JSON.stringify(marker))
  const newer = await faultOf(open(dir))
  is(newer.code, 'STORE')
  match(newer.message, /layout 99/)
  equal(readdirSync(join(dir, 'db')).sort(), before)
})

test('a second daemon is told that the store is in use', async context => {
  const dir = await makeDir(context)
  const store = await open(dir)
  const fault = await faultOf(open(dir))
  match(fault.message, /another shoald uses this store/)
  await store.write([{ key: 'own/n/a', value: new Uint8Array([1]) }], true)
  await store.close()
  const again = await open(dir)
  is(again.amnesiac, undefined)
  is((await again.read('')).length, 1)
  await again.close()
})

test('a directory that others may read is refused with what to run', async context => {
  const dir = await makeDir(context)
  await (await open(dir)).close()
  is(statSync(dir).mode & 0o777, 0o700)
  for (const name of ['store.json', 'anchor']) is(statSync(join(dir, name)).mode & 0o777, 0o600)
  await chmod(dir, 0o750)
  const fault = await faultOf(open(dir))
  match(`${fault.message}; ${fault.hint}`, /others may read the store; run: chmod 700/)
})

test('the ballast is laid in once and has its size', async context => {
  const dir = await makeDir(context)
  await (await open(dir, 300_000)).close()
  is(statSync(join(dir, 'ballast')).size, 300_000)
  await (await open(dir, 300_000)).close()
  is(statSync(join(dir, 'ballast')).size, 300_000)
})

test.run()
