/** What one daemon asks of another over a stream of its own. */
import { equal, is } from 'uvu/assert'
import { askRemote, serveRemote } from '../../node/remote.ts'
import { createTestMesh, link, startHost, until } from '../helpers/libp2p.ts'
import { suite, type TestContext } from '../helpers/suite.ts'

const test = suite('remote')
const PROTOCOL = '/test/remote/1'

async function pair(context: TestContext) {
  const mesh = createTestMesh()
  const [asker, asked] = [await startHost(context, mesh), await startHost(context, mesh)]
  await link(asker, asked)
  await until(() => asked.links.length > 0, context.signal)
  return { asker, asked }
}

/** What came, and what it ended with. */
async function ask(answers: AsyncIterable<unknown>, each: (value: unknown) => void = () => {}) {
  const values: unknown[] = []
  try {
    for await (const value of answers) {
      values.push(value)
      each(value)
    }
  } catch (error) {
    return { values, end: (error as Error).message }
  }
  return { values, end: '' }
}

test('answers come back as lines, in order, until the other has said all', async context => {
  const { asker, asked } = await pair(context)
  await serveRemote(asked.host, PROTOCOL, async function* (request) {
    for (let i = 0; i < 3; i++) yield { request, i }
  })
  const { values, end } = await ask(
    askRemote(asker.host, asked.id, PROTOCOL, 'why', context.signal)
  )
  equal(
    values,
    [0, 1, 2].map(i => ({ request: 'why', i }))
  )
  is(end, '')
})

test('what ends too early is told in words of people', async context => {
  const { asker, asked } = await pair(context)
  await serveRemote(asked.host, PROTOCOL, async function* (_, signal) {
    yield 'one'
    await new Promise(resolve => signal.addEventListener('abort', resolve))
  })
  const answers = askRemote(asker.host, asked.id, PROTOCOL, '', context.signal)
  const { values, end } = await ask(answers, () => void asked.host.stop())
  equal(values, ['one'])
  is(end, 'the connection to it ended')
  const again = await ask(askRemote(asker.host, asked.id, PROTOCOL, '', context.signal))
  is(again.end, 'there is no connection to it')
})

test.run()
