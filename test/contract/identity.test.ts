import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { equal, is, match, ok } from 'uvu/assert'
import {
  createIdentity,
  createMesh,
  IDENTITY_FILE,
  loadIdentity,
  loadMesh,
  MESH_FILE,
  saveMesh
} from '../../node/identity.ts'
import { ShoalError } from '../../src/errors.ts'
import { suite, type TestContext } from '../helpers/suite.ts'

const test = suite('identity')

function directory(context: TestContext): string {
  const parent = mkdtempSync(join(tmpdir(), 'shoal-identity-'))
  context.cleanup(() => rmSync(parent, { recursive: true }))
  return join(parent, 'data')
}

async function refusal(work: Promise<unknown>): Promise<ShoalError> {
  try {
    await work
  } catch (error) {
    ok(error instanceof ShoalError)
    return error
  }
  throw new Error('was not refused')
}

test('an identity survives a reload, in files that only its owner may read', async context => {
  const dir = directory(context)
  const created = await createIdentity(dir)
  match(created.nodeId, /^12D3KooW/)
  is(statSync(dir).mode & 0o777, 0o700)
  is(statSync(join(dir, IDENTITY_FILE)).mode & 0o777, 0o600)
  const loaded = await loadIdentity(dir)
  is(loaded.nodeId, created.nodeId)
  equal(loaded.privateKey.raw, created.privateKey.raw)
})

test('an identity is never replaced', async context => {
  const dir = directory(context)
  await createIdentity(dir)
  const before = readFileSync(join(dir, IDENTITY_FILE))
  const error = await refusal(createIdentity(dir))
  is(error.code, 'STORE')
  match(error.message, /never replaced/)
  equal(readFileSync(join(dir, IDENTITY_FILE)), before)
})

test('a missing, empty, damaged, foreign or readable key is refused by name', async context => {
  const dir = directory(context)
  match((await refusal(loadIdentity(dir))).message, /missing/)
  await createIdentity(dir)
  const path = join(dir, IDENTITY_FILE)
  const good = readFileSync(path)

  chmodSync(path, 0o640)
  const readable = await refusal(loadIdentity(dir))
  match(readable.message, /mode 640/)
  is(readable.where, path)
  match(readable.hint ?? '', /chmod 600/)
  chmodSync(path, 0o600)

  writeFileSync(path, '')
  match((await refusal(loadIdentity(dir))).message, /empty/)
  writeFileSync(path, 'not a key at all')
  match((await refusal(loadIdentity(dir))).message, /no key/)
  writeFileSync(path, good.subarray(0, 40))
  match((await refusal(loadIdentity(dir))).message, /no key/)
  writeFileSync(path, Buffer.alloc(5_000))
  match((await refusal(loadIdentity(dir))).message, /too large/)

  writeFileSync(path, good)
  ok(await loadIdentity(dir))
  chmodSync(dir, 0o777)
  match((await refusal(loadIdentity(dir))).message, /others may write/)
})

test("another user's key is refused", { requires: ['root'] }, async context => {
  const dir = directory(context)
  await createIdentity(dir)
  const { chownSync } = await import('node:fs')
  chownSync(join(dir, IDENTITY_FILE), 65_534, 65_534)
  match((await refusal(loadIdentity(dir))).message, /belongs to user 65534/)
})

test('a mesh is created once and loaded again', async context => {
  const dir = directory(context)
  match((await refusal(loadMesh(dir))).message, /missing/)
  const mesh = await createMesh(dir)
  match(mesh.meshId, /^[0-9a-f]{32}$/)
  match(mesh.key, /^[0-9a-f]{64}$/)
  is(statSync(join(dir, MESH_FILE)).mode & 0o777, 0o600)
  equal(await loadMesh(dir), mesh)
  is((await refusal(createMesh(dir))).code, 'STORE')
})

test('a token of the same mesh is saved again, one of another mesh is refused', async context => {
  const dir = directory(context)
  const mesh = { meshId: 'ab'.repeat(16), key: 'cd'.repeat(32) }
  await saveMesh(dir, mesh)
  await saveMesh(dir, mesh)
  await saveMesh(dir, { ...mesh, key: 'ef'.repeat(32) })
  const joined = ['/ip4/10.0.0.1/tcp/7970']
  await saveMesh(dir, { ...mesh, key: 'ef'.repeat(32), join: joined })
  equal((await loadMesh(dir)).join, joined, 'where it was joined is kept')
  is((await loadMesh(dir)).key, 'ef'.repeat(32))
  is((await refusal(saveMesh(dir, { ...mesh, meshId: '12'.repeat(16) }))).code, 'CONFLICT')
})

test('a damaged or newer mesh file is refused by name', async context => {
  const dir = directory(context)
  await createMesh(dir)
  const path = join(dir, MESH_FILE)
  for (const [content, why] of [
    ['{', /no JSON/],
    ['null', /lacks/],
    ['{"version":1,"meshId":"zz","key":"00"}', /lacks/],
    ['{"version":2}', /newer/]
  ] as const) {
    writeFileSync(path, content)
    match((await refusal(loadMesh(dir))).message, why)
  }
})

test.run()
