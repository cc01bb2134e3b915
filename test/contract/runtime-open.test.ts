/**
 * Which runtimes a node has.
 */
import { join } from 'node:path'
import { equal, is, match } from 'uvu/assert'
import { openRuntimes } from '../../node/runtime/index.ts'
import { OWNER, openFake, temporary } from '../helpers/runtime.ts'
import { suite, type TestContext } from '../helpers/suite.ts'

const test = suite('opening runtimes', { requires: ['linux'] })

async function names(
  context: TestContext,
  wanted: 'docker' | 'process' | 'auto',
  dockerHost: string
): Promise<{ readonly names: string[]; readonly said: string[] }> {
  const said: string[] = []
  const log = (message: string): void => void said.push(message)
  const dataDir = join(temporary(context), 'data')
  const init = { ...OWNER, dataDir, wanted, dockerHost, log, env: {} }
  const runtimes = await openRuntimes(init, context.signal)
  context.cleanup(() => Promise.all([...runtimes.values()].map(runtime => runtime.close())))
  return { names: [...runtimes.keys()], said }
}

test('auto is processes always, and docker when an engine answers', async context => {
  const fake = await openFake(context)
  const both = await names(context, 'auto', fake.host)
  equal(both.names, ['process', 'docker'])
  match(both.said.join('\n'), 'runtime docker 0.0.0-fake (API 1.41)')
  await fake.down()
  const one = await names(context, 'auto', fake.host)
  equal(one.names, ['process'])
  match(one.said.join('\n'), 'runtime docker is not available: no docker engine: unix://')
})

test('a runtime asked for by name is there also while it is down', async context => {
  const fake = await openFake(context)
  await fake.down()
  const { names: all, said } = await names(context, 'docker', fake.host)
  equal(all, ['docker'])
  is(said.length, 1)
  equal((await names(context, 'process', fake.host)).names, ['process'])
})

test.run()
