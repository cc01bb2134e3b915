/** Local data is never lost by failover: it pins, waits and says so, and is given up by hand. */
import { equal, match } from 'uvu/assert'
import { suite } from '../helpers/suite.ts'
import type { Host } from '../helpers/testbed.ts'
import { run, sleep, until } from '../helpers/testbed-run.ts'
import { composeFile, SharedBed } from '../helpers/testbed-shared.ts'

const test = suite('data', { requires: ['root', 'docker'], timeoutMs: 60_000 })
const DB = ['store', 'db'] as const

const bed = new SharedBed({ hosts: 3 }, async opened => {
  await opened.mesh()
})

const COMPOSE = [
  'services:',
  '  db:',
  '    image: busybox:local',
  // Counts its starts in the volume, so that lost or empty data shows.
  "    command: ['sh', '-c', 'echo x >> /data/starts; exec httpd -f -p 8080 -h /data']",
  '    volumes: ["data:/data"]',
  'volumes:',
  '  data: {}'
]

/** What the volume holds, read on the host itself, or '' when there is none. */
async function starts(host: Host): Promise<string> {
  const said = await run(['docker', '-H', `unix://${host.engine.socket}`, 'volume', 'ls', '-q'])
  const name = said.stdout.split('\n').find(line => line.endsWith('store_data'))
  if (name === undefined) return ''
  const path = `${host.folder}/docker/volumes/${name}/_data/starts`
  return (await run(['cat', path])).stdout.replaceAll('\n', '')
}

let home: Host
let others: readonly Host[]

test('a service with a local volume waits for its host, and says where its data is', async () => {
  const opened = await bed.get()
  const file = composeFile(opened, 'store', COMPOSE)
  await opened.host(1).daemon.client.must(['deploy', '-f', file, '-p', 'store'])
  const [replica] = await opened.settled(DB, 1)
  if (replica === undefined) throw new Error('no replica')
  home = replica.host
  others = opened.hosts.filter(host => host !== home)
  equal(await starts(home), 'x')
  await home.kill()
  const [asked] = others
  const row = await until(
    'the slot waits for its data',
    async () => {
      const rows = (await asked?.daemon.client.ps()) ?? []
      return rows.find(one => one.state === 'pending' && /its data is on/.test(one.reason ?? ''))
    },
    { timeoutMs: 12_000, intervalMs: 250 }
  )
  match(row.reason, new RegExp(`its data is on ${home.name} \\(dead `))
  await sleep(3_000)
  equal((await opened.replicas(...DB)).length, 0)
  const status = await asked?.daemon.client.run(['status'])
  match(status?.stdout ?? '', /^NOT OK: .*shoal volume abandon/s)
  const volumes = JSON.parse(
    (await asked?.daemon.client.must(['volume', 'ls', '-o', 'json'])) ?? '[]'
  )
  equal(
    volumes.map((volume: { node: string; state: string }) => [volume.node, volume.state]),
    [[home.name, 'waits']]
  )
})

test('its host returns, and it runs there again with its data', async () => {
  const opened = await bed.get()
  await home.startEngine()
  await home.daemon.up()
  const [replica] = await opened.settled(DB, 1)
  equal(replica?.host.name, home.name)
  equal(await starts(home), 'xx')
})

test('volume abandon refuses while its host is alive', async () => {
  const { client } = others[0]?.daemon ?? (await bed.get()).host(1).daemon
  const said = await client.run(['volume', 'abandon', 'store_data', '-y'])
  equal(said.code, 8, said.stdout + said.stderr)
  match(said.stderr, /^error\[CONFLICT\]: /m)
})

test('volume abandon releases it to another host', async () => {
  const opened = await bed.get()
  await home.kill()
  const client = others[0]?.daemon.client
  await until(
    'the slot waits again',
    async () =>
      (await client?.ps())?.some(row => row.state === 'pending' && row.reason !== '')
        ? true
        : undefined,
    { timeoutMs: 12_000, intervalMs: 250 }
  )
  await client?.must(['volume', 'abandon', 'store_data', '-y'])
  const [replica] = await opened.settled(DB, 1, { on: others })
  equal(replica === undefined ? '' : await starts(replica.host), 'x')
})

test('a returned host neither starts nor removes the data that was given up', async () => {
  const opened = await bed.get()
  await home.startEngine()
  await home.daemon.up()
  await home.daemon.client.sees(['h1', 'h2', 'h3'])
  await sleep(3_000)
  const [replica, more] = await opened.replicas(...DB)
  equal(more, undefined)
  equal(replica?.host === home, false)
  equal(await starts(home), 'xx')
})

test('majority-lease is refused by its name, never run as something else', async () => {
  const opened = await bed.get()
  const lines = [...COMPOSE.slice(0, 3), '    x-shoal: { partition: majority-lease }']
  const file = composeFile(opened, 'lease', lines)
  const said = await opened.host(1).daemon.client.run(['deploy', '-f', file, '-p', 'lease'])
  equal(said.code, 2, said.stdout + said.stderr)
  match(said.stderr, /error\[UNSUPPORTED\]: .*majority-lease/)
})

bed.closeAtEnd(test)
test.run()
