/** Which mesh a node belongs to, by its data directory and its flags. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { equal, is, match } from 'uvu/assert'
import { settleMembership } from '../../node/config.ts'
import { Traces } from '../../node/traces.ts'
import { parseDaemonFlags } from '../../src/api/daemon-flags.ts'
import { ShoalError } from '../../src/errors.ts'
import { temporary } from '../helpers/runtime.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('which mesh a node belongs to')

const options = (dataDir: string): ReturnType<typeof parseDaemonFlags> =>
  parseDaemonFlags(['--data-dir', dataDir], { env: {}, uid: 0, home: '/root' } as never)

const settle = (dataDir: string): ReturnType<typeof settleMembership> =>
  settleMembership(options(dataDir), new Traces(dataDir))

test('an empty directory becomes a new mesh, and the same one the next time', async context => {
  const dataDir = join(temporary(context), 'data')
  const first = await settle(dataDir)
  const second = await settle(dataDir)
  equal(second.mesh, first.mesh)
  is(second.identity.nodeId, first.identity.nodeId)
})

test('the store of a join that nobody accepted is never given a mesh of its own', async context => {
  const dataDir = join(temporary(context), 'data')
  mkdirSync(join(dataDir, 'state'), { recursive: true, mode: 0o700 })
  const refused = await settle(dataDir).catch((error: unknown) => error)
  is(refused instanceof ShoalError && refused.code, 'STORE')
  match((refused as ShoalError).hint ?? '', 'join again with a token')
  equal(readdirSync(dataDir), ['state'])
  is(existsSync(join(dataDir, 'mesh.json')), false)
})

test('a start that fails takes away what it made, and nothing that was there', async context => {
  const above = join(temporary(context), 'above')
  const dataDir = join(above, 'data')
  const traces = new Traces(dataDir)
  await settleMembership(options(dataDir), traces)
  mkdirSync(join(dataDir, 'state'))
  const late = new Traces(dataDir)
  await late.remove()
  equal(readdirSync(dataDir).sort(), ['identity.key', 'mesh.json', 'state'])
  await traces.remove()
  equal(readdirSync(dataDir), ['state'], 'a store that it did not open is not its own')
  traces.ownsStore()
  await traces.remove()
  is(existsSync(above), false)
})

test('a member that cannot start keeps everything', async context => {
  const dataDir = join(temporary(context), 'data')
  await settle(dataDir)
  const traces = new Traces(dataDir)
  traces.ownsStore()
  await traces.remove()
  equal(readdirSync(dataDir).sort(), ['identity.key', 'mesh.json'])
})

test.run()
