/** The testbed itself: its faults are the faults that they are called, with real engines. */
import { equal, match } from 'uvu/assert'
import { EngineEvents } from '../helpers/engine-events.ts'
import { suite } from '../helpers/suite.ts'
import type { Host } from '../helpers/testbed.ts'
import { monotonicMs, run } from '../helpers/testbed-run.ts'
import { SharedBed } from '../helpers/testbed-shared.ts'

const test = suite('bed', { requires: ['root', 'docker'], timeoutMs: 30_000 })
const bed = new SharedBed({ hosts: 3 })

/** What a connection from one host to a closed port of another gives. */
async function knock(from: Host, to: Host): Promise<'refused' | 'silence'> {
  const argv = [...from.inside, 'busybox', 'nc', '-w', '1', to.address, '9']
  const { stderr } = await run(argv)
  if (/refused/.test(stderr)) return 'refused'
  match(stderr, /timed out|No route/)
  return 'silence'
}

test('killing a host ends its containers, and its engine returns with them stopped', async () => {
  const opened = await bed.get()
  const [h1, h2] = [opened.host(1), opened.host(2)]
  const events = await EngineEvents.open({ h1: h1.engine.socket, h2: h2.engine.socket })
  try {
    const askedMs = monotonicMs()
    const id = await h2.engine.runForeign('short-lived', opened.image.name, ['sleep', '600'])
    await events.nth(1, askedMs, event => event.action === 'start' && event.id === id, 5_000)
    await h2.kill()
    equal(await h2.engine.ping(), false)
    equal(await knock(h1, h2), 'refused')
    await h2.startEngine()
    await events.connected(['h2'])
    const [container] = await h2.engine.containers()
    equal([container?.Id, container?.State], [id, 'exited'])
  } finally {
    events.close()
  }
})

test('a pulled cable is silence for all, and heals', async () => {
  const opened = await bed.get()
  const [h1, h2, h3] = [opened.host(1), opened.host(2), opened.host(3)]
  await h2.cut()
  equal(
    [await knock(h1, h2), await knock(h2, h3), await knock(h1, h3)].join(' '),
    ['silence', 'silence', 'refused'].join(' ')
  )
  await h2.plug()
  equal(await knock(h1, h2), 'refused')
})

test('a partition cuts between sides only, a one-way drop one direction only', async () => {
  const opened = await bed.get()
  const [h1, h2, h3] = [opened.host(1), opened.host(2), opened.host(3)]
  await opened.partition([h1, h2], [h3])
  equal([await knock(h1, h2), await knock(h1, h3)], ['refused', 'silence'])
  await opened.heal()
  equal(await knock(h1, h3), 'refused')
  await h1.dropFrom([h3])
  // What h3 sends does not arrive, also not its answers; what h1 sends does.
  equal([await knock(h3, h1), await knock(h3, h2)], ['silence', 'refused'])
  await h1.acceptAll()
})

bed.closeAtEnd(test)
test.run()
