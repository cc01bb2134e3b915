/** `volume ls`: data that workloads use, and what a removed one left on its nodes. */
import { equal } from 'uvu/assert'
import type { MeshHost } from '../../gossip/libp2p/host.ts'
import type { View } from '../../node/agent/view.ts'
import { Inspect } from '../../node/backend/inspect.ts'
import { reportVolumes } from '../../node/backend/volumes.ts'
import { MemoryEngine } from '../../node/runtime/memory/engine.ts'
import { MemoryRuntime } from '../../node/runtime/memory.ts'
import type { Runtime } from '../../node/runtime/runtime.ts'
import { allocation, DATA_VOLUME, mark, member, spec, viewOf } from '../helpers/agent.ts'
import { reportOf } from '../helpers/report.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('backend: volumes')
const { signal } = new AbortController()

async function runtimeOf(node: string, names: readonly string[]): Promise<Runtime> {
  const clock = {
    nowMs: () => 0,
    wallMs: () => 0,
    schedule: (_: number, task: () => void) => {
      task()
      return () => undefined
    }
  }
  const engine = new MemoryEngine({ clock })
  const runtime = new MemoryRuntime({ engine }, { mesh: 'm', node })
  const volumes = names.map(name => ({ ...DATA_VOLUME, name, target: `/${name}` }))
  if (names.length > 0) await runtime.start(spec({ volumes }), mark('u9', 0, '1.a'), signal)
  return runtime
}

type Answer = (request: unknown) => AsyncIterable<unknown>

/** A host whose peers answer as given; one without an answer cannot be reached. */
function hostOf(answers: Readonly<Record<string, Answer>>): MeshHost {
  const host = {
    openStream: async (peer: string) => {
      const answer = answers[peer]
      if (answer === undefined) throw new Error('no such peer')
      let request = ''
      return {
        sink: async (source: Iterable<Uint8Array>) => {
          for (const chunk of source) request += Buffer.from(chunk).toString()
        },
        source: (async function* () {
          for await (const line of answer(JSON.parse(request)))
            yield Buffer.from(`${JSON.stringify(line)}\n`)
        })(),
        abort: () => {}
      }
    }
  }
  return host as unknown as MeshHost
}

function inspectOf(view: View, runtime: Runtime, host = hostOf({})): Inspect {
  const runtimes = new Map([[runtime.name as string, runtime]])
  return new Inspect({ context: reportOf(view), host, runtimes })
}

async function rows(view: View, inspect: Inspect): Promise<readonly unknown[]> {
  const found = reportVolumes(reportOf(view), await inspect.volumes(signal))
  return found.map(row => [row.name, row.workload, row.slot, row.node, row.state])
}

test('a volume that a removed workload left is unused, on the node that has it', async () => {
  const view = viewOf(['a'])
  const inspect = inspectOf(view, await runtimeOf('a', ['data']))
  equal(await rows(view, inspect), [['data', '', null, 'a', 'unused']])
})

test('a volume of a workload that runs there is told once, as used', async () => {
  const view = viewOf(['a'], [spec({ volumes: [DATA_VOLUME] })])
  view.setOwn('a', 'alloc/u0/0', allocation())
  const inspect = inspectOf(view, await runtimeOf('a', ['data', 'old']))
  equal(await rows(view, inspect), [
    ['data', 'web', 0, 'a', 'used'],
    ['old', '', null, 'a', 'unused']
  ])
})

test('data that a workload left behind on another node is unused there', async () => {
  const view = viewOf(['a', 'b'], [spec({ volumes: [DATA_VOLUME] })])
  view.setOwn('b', 'alloc/u0/0', allocation())
  const inspect = inspectOf(view, await runtimeOf('a', ['data']))
  equal(await rows(view, inspect), [
    ['data', '', null, 'a', 'unused'],
    ['data', 'web', 0, 'b', 'used']
  ])
})

test("a shared volume in use is nobody's leftover", async () => {
  const view = viewOf(['a'], [spec({ volumes: [{ ...DATA_VOLUME, shared: true }] })])
  const inspect = inspectOf(view, await runtimeOf('a', ['data']))
  equal(await rows(view, inspect), [])
})

test('other nodes are asked; one that is dead, silent or lies is left out', async () => {
  const view = viewOf(['a', 'b', 'c', 'd', 'e'])
  view.setMember(member('e', 'dead'))
  const far = inspectOf(viewOf(['b']), await runtimeOf('b', ['data']))
  const host = hostOf({
    b: request => far.serve(request, signal),
    c: async function* () {
      yield [{ name: 7, project: 'demo' }]
    },
    e: request => far.serve(request, signal)
  })
  const inspect = inspectOf(view, await runtimeOf('a', []), host)
  equal(await rows(view, inspect), [['data', '', null, 'b', 'unused']])
})

test('a runtime that cannot be asked hides nothing of the others', async () => {
  const view = viewOf(['a'])
  const broken = await runtimeOf('a', [])
  broken.volumes = async () => {
    throw new Error('the engine is down')
  }
  const runtimes = new Map([
    ['docker', broken],
    ['memory', await runtimeOf('a', ['data'])]
  ])
  const inspect = new Inspect({ context: reportOf(view), host: hostOf({}), runtimes })
  equal(await rows(view, inspect), [['data', '', null, 'a', 'unused']])
})

test.run()
