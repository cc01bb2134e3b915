/**
 * Which runtimes a node has.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { equal, is, match } from 'uvu/assert'
import { systemClock } from '../../node/clock.ts'
import { Executor } from '../../node/executor.ts'
import { createLog } from '../../node/log.ts'
import { openRuntimes } from '../../node/runtime/index.ts'
import { ShoalError } from '../../src/errors.ts'
import { OWNER, openFake, temporary, until } from '../helpers/runtime.ts'
import { suite, type TestContext } from '../helpers/suite.ts'

const test = suite('opening runtimes', { requires: ['linux'] })

async function names(
  context: TestContext,
  wanted: 'docker' | 'process' | 'auto',
  dockerHost: string
): Promise<{ readonly names: string[]; readonly absent: string[]; readonly said: string[] }> {
  const said: string[] = []
  const log = (message: string): void => void said.push(message)
  const dataDir = join(temporary(context), 'data')
  const init = { ...OWNER, dataDir, wanted, dockerHost, log, env: {} }
  const { runtimes, absent } = await openRuntimes(init, context.signal)
  context.cleanup(() => Promise.all([...runtimes.values()].map(runtime => runtime.close())))
  return { names: [...runtimes.keys()], absent: [...absent], said }
}

test('auto is processes always, and docker as soon as an engine answers', async context => {
  const fake = await openFake(context)
  const both = await names(context, 'auto', fake.host)
  equal([both.names, both.absent], [['process', 'docker'], []])
  match(both.said.join('\n'), 'runtime docker 0.0.0-fake (API 1.41)')
  await fake.down()
  const one = await names(context, 'auto', fake.host)
  equal([one.names, one.absent], [['process', 'docker'], ['docker']])
  match(one.said.join('\n'), 'runtime docker is not available: no docker engine: unix://')
})

test('a runtime asked for by name is there also while it is down', async context => {
  const fake = await openFake(context)
  await fake.down()
  const { names: all, absent, said } = await names(context, 'docker', fake.host)
  equal([all, absent], [['docker'], []])
  is(said.length, 1)
  equal((await names(context, 'process', fake.host)).names, ['process'])
})

test('the first start of a node says at once that there is no socket of an engine', async context => {
  const dataDir = join(temporary(context), 'data')
  const open = (isFirst: boolean, dockerHost: string) =>
    openRuntimes(
      { ...OWNER, dataDir, wanted: 'docker', dockerHost, isFirst, log: () => {}, env: {} },
      context.signal
    )
  const nowhere = join(dataDir, 'no.sock')
  const refused = await open(true, nowhere).catch((error: unknown) => error)
  is(refused instanceof ShoalError && refused.code, 'RUNTIME')
  match((refused as ShoalError).where ?? '', nowhere)
  // It may come later: after a power cut the engine starts after us.
  equal([...(await open(false, nowhere)).runtimes.keys()], ['docker'])
  const there = join(temporary(context), 'there.sock')
  writeFileSync(there, '')
  equal([...(await open(true, `unix://${there}`)).runtimes.keys()], ['docker'])
})

test('an engine that starts after the daemon is used, and was no trouble before', async context => {
  const fake = await openFake(context)
  await fake.down()
  const dataDir = join(temporary(context), 'data')
  const init = { ...OWNER, dataDir, wanted: 'auto', dockerHost: fake.host, env: {} } as const
  const opened = await openRuntimes({ ...init, log: () => {} }, context.signal)
  const listed = new Set<string>()
  const executor = new Executor({
    ...opened,
    clock: systemClock,
    log: createLog({ node: 'test', level: 'silent', format: 'json' }),
    input: input => {
      if (input.kind === 'observed') for (const name of input.runtimes) listed.add(name)
    },
    wants: () => true,
    onPoint: () => undefined
  })
  executor.start()
  context.cleanup(async () => {
    executor.stop()
    for (const runtime of opened.runtimes.values()) await runtime.close()
  })
  await until(context.signal, () => listed.has('process'))
  equal([...executor.unavailable.keys()], [])
  equal(executor.usable(systemClock.nowMs(), 1_000), ['process'])
  await fake.up()
  await until(context.signal, () => listed.has('docker'))
  equal(executor.usable(systemClock.nowMs(), 1_000), ['process', 'docker'])
})

test.run()
