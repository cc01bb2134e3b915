import { setImmediate as turn } from 'node:timers/promises'
import type { Stream } from '@libp2p/interface'
import { match, unreachable } from 'uvu/assert'
import { sayHello } from '../../gossip/libp2p/hello.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('hello')

test('a stream that breaks while we say hello fails that dial, and nothing else', async () => {
  const broken = Object.assign(new EventTarget(), {
    send: () => {
      throw new Error('stream is closed')
    },
    close: async () => undefined
  }) as unknown as Stream
  const dial = new AbortController()
  const hello = {
    ...{ mesh: '0'.repeat(32), versions: [1], placementVersion: 1, boot: '0'.repeat(32) },
    ...{ incarnation: 1, name: 'a', addresses: [] }
  }
  try {
    await sayHello(broken, hello, dial.signal)
    unreachable('nothing was said')
  } catch (error) {
    match(String(error), /stream is closed/)
  }
  // A failed dial aborts what is left of it: the answer that nobody waits for. An unhandled
  // rejection ends a daemon, and fails this run.
  dial.abort()
  await turn()
})

test.run()
