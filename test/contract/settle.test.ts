/** Which mesh a node belongs to, by its data directory and its flags. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { equal, is, match } from 'uvu/assert'
import { settleMembership } from '../../node/config.ts'
import { parseDaemonFlags } from '../../src/api/daemon-flags.ts'
import { ShoalError } from '../../src/errors.ts'
import { temporary } from '../helpers/runtime.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('which mesh a node belongs to')

const options = (dataDir: string): ReturnType<typeof parseDaemonFlags> =>
  parseDaemonFlags(['--data-dir', dataDir], { env: {}, uid: 0, home: '/root' } as never)

test('an empty directory becomes a new mesh, and the same one the next time', async context => {
  const dataDir = join(temporary(context), 'data')
  const first = await settleMembership(options(dataDir))
  const second = await settleMembership(options(dataDir))
  equal(second.mesh, first.mesh)
  is(second.identity.nodeId, first.identity.nodeId)
})

test('the store of a join that nobody accepted is never given a mesh of its own', async context => {
  const dataDir = join(temporary(context), 'data')
  mkdirSync(join(dataDir, 'state'), { recursive: true, mode: 0o700 })
  const refused = await settleMembership(options(dataDir)).catch((error: unknown) => error)
  is(refused instanceof ShoalError && refused.code, 'STORE')
  match((refused as ShoalError).hint ?? '', 'join again with the token of that mesh')
  equal(readdirSync(dataDir), ['state'])
  is(existsSync(join(dataDir, 'mesh.json')), false)
})

test.run()
