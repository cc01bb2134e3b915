/**
 * A host in a process of its own: prints its id and addresses, then lives until it is killed.
 * With `once` it links two hosts, uses them, stops both, and must then end by itself.
 */
import { createTestMesh, link, type Mesh, startHost, until } from './libp2p.ts'

const [mode = 'serve', meshJson] = process.argv.slice(2)
const nothing = { cleanup: () => {} }

function meshOf(json: string | undefined): Mesh {
  if (json === undefined) return createTestMesh()
  const { meshId, meshKey } = JSON.parse(json) as { meshId: string; meshKey: string }
  return { meshId, meshKey: Buffer.from(meshKey, 'hex') }
}

const mesh = meshOf(meshJson)
const one = await startHost(nothing, mesh)
if (mode === 'serve') {
  await one.host.handle('/test/drip/1', async stream => {
    await stream.sink(
      (async function* () {
        for (;;) {
          yield new Uint8Array(1_000)
          await new Promise(resolve => setTimeout(resolve, 5))
        }
      })()
    )
  })
  process.stdout.write(`${JSON.stringify({ id: one.id, addresses: one.host.addresses() })}\n`)
} else {
  const signal = AbortSignal.timeout(20_000)
  const two = await startHost(nothing, mesh)
  await link(one, two)
  one.host.send(two.id, 'member', { kind: 'x' })
  await until(() => two.frames.length > 0 && one.host.stats().subscribers === 1, signal)
  one.host.publish({ kind: 'y' })
  await until(() => two.published.length > 0, signal)
  await one.host.knock(two.host.addresses(), 500)
  await one.host.stop()
  await two.host.stop()
  process.stdout.write('stopped\n')
}
