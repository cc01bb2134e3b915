/** Knocks at a process that is just ending, which tell most when they race. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { is } from 'uvu/assert'
import { knock } from '../../gossip/libp2p/knock.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('knocks')
const TIMEOUT_MS = 2_000

/** Says its port, resets whoever comes first, and listens no more. */
const ENDING = `
const server = require('node:net').createServer(socket => {
  socket.resetAndDestroy()
  server.close()
  process.stdout.write('reset')
})
server.listen(0, '127.0.0.1', () => process.stdout.write(String(server.address().port)))
setTimeout(() => process.exit(), 10_000)`

async function said(child: ChildProcess): Promise<string> {
  const [chunk] = (await once(child.stdout ?? child, 'data')) as [Buffer]
  return chunk.toString()
}

test('a door that is reset before the knock is heard of is knocked at again', async () => {
  const child = spawn(process.execPath, ['-e', ENDING], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const port = Number(await said(child))
    const outcome = knock(
      [{ host: '127.0.0.1', port }],
      TIMEOUT_MS,
      AbortSignal.timeout(TIMEOUT_MS)
    )
    // Node connects in the next tick.
    await new Promise<void>(resolve => process.nextTick(() => process.nextTick(resolve)))
    // A node with much to do: connected and reset are read in one turn, as a mere reset.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
    is(await outcome, 'refused')
  } finally {
    child.kill('SIGKILL')
  }
})

test.run()
