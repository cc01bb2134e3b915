/** A changed spec is rolled one replica at a time and stops at the first failure. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { equal, match, ok } from 'uvu/assert'
import type { AllocationView } from '../../src/api/types.ts'
import { Cluster } from '../helpers/cluster.ts'
import { suite, type TestContext } from '../helpers/suite.ts'
import type { Ran } from '../helpers/testbed-run.ts'

const test = suite('roll', { requires: ['linux'], timeoutMs: 60_000 })
const REPLICAS = 3

/** Every start of a version says so in one file, whichever node it is on. */
function compose(cluster: Cluster, version: string, then: string): string {
  const said = `echo "${version} $$(date +%s%3N)" >> ${join(cluster.folder, 'starts')}`
  return cluster.write(
    'compose.yaml',
    [
      'services:',
      '  web:',
      '    x-shoal: { runtime: process }',
      `    command: ['sh', '-c', '${said}; ${then}']`,
      `    deploy: { replicas: ${REPLICAS} }`
    ].join('\n')
  )
}

/** When (wall clock, ms) copies of a version started, in order. */
function starts(cluster: Cluster, version: string): readonly number[] {
  return readFileSync(join(cluster.folder, 'starts'), 'utf8')
    .split('\n')
    .map(line => line.split(' '))
    .filter(([of]) => of === version)
    .map(([, at]) => Number(at))
}

async function made(context: TestContext): Promise<Cluster> {
  const cluster = await Cluster.make({ daemons: 3 })
  context.cleanup(() => cluster.close())
  await cluster.mesh()
  return cluster
}

const deploy = (cluster: Cluster, at: number, file: string): Promise<Ran> =>
  cluster.daemon(at).client.run(['deploy', '-f', file, '-p', 'app', '--timeout', '30s'])

test('a changed template replaces one replica after the other, each once the last is healthy', async context => {
  const cluster = await made(context)
  equal((await deploy(cluster, 1, compose(cluster, 'v1', 'exec sleep 600'))).code, 0)
  equal(starts(cluster, 'v1').length, REPLICAS)
  equal((await deploy(cluster, 2, compose(cluster, 'v2', 'exec sleep 600'))).code, 0)
  const times = starts(cluster, 'v2')
  equal(times.length, REPLICAS)
  // Without a health check a copy counts as healthy after a second.
  for (const [i, atMs] of times.entries())
    if (i > 0) ok(atMs - (times[i - 1] ?? 0) >= 1_000, `starts at ${times.join()}`)
  equal(starts(cluster, 'v1').length, REPLICAS, 'nothing of the old was started again')
})

test('a template that fails stops at the first replica; a good one rolls over all', async context => {
  const cluster = await made(context)
  const { client } = cluster.daemon(2)
  equal((await deploy(cluster, 1, compose(cluster, 'v1', 'exec sleep 600'))).code, 0)
  const before = await client.runs('app', 'web', REPLICAS)
  const said = await deploy(cluster, 2, compose(cluster, 'v2', 'exit 7'))
  equal(said.code, 1, said.stdout + said.stderr)
  match(said.stderr, /^error\[RUNTIME\]: exited with code 7 .*app\/web\/0/m)
  const rows = (await client.ps()).filter(row => row.workload === 'web')
  equal(rows.length, REPLICAS)
  const others = (all: readonly AllocationView[]): unknown =>
    all.filter(row => row.slot > 0).map(row => [row.slot, row.node, row.generation, row.startedAt])
  equal(others(rows), others(before))
  equal((await deploy(cluster, 3, compose(cluster, 'v3', 'exec sleep 600'))).code, 0)
  equal(starts(cluster, 'v3').length, REPLICAS)
  const after = await client.runs('app', 'web', REPLICAS)
  equal(new Set(after.map(row => row.generation)).size, 1)
})

test.run()
