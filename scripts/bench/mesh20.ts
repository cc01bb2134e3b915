/**
 * 20 daemons on one machine, process runtime, in a network namespace of their own, so that its
 * loopback counts their traffic alone.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeView } from '../../src/api/types.ts'
import { NODE_FLAGS } from '../../src/cli/node-flags.ts'
import { shoalProgram } from '../../test/helpers/cluster-cli.ts'
import { Daemon } from '../../test/helpers/cluster-daemon.ts'
import { type Host, Testbed } from '../../test/helpers/testbed.ts'
import { monotonicMs, must, sleep, until } from '../../test/helpers/testbed-run.ts'
import { apiEvents, apiGet } from './api.ts'
import type { Bench, Figure } from './report.ts'

const DAEMONS = 20
const FORMATIONS = 5
const KILLS = 5
const PAUSE_MS = 3_000
const IDLE_MS = 30_000
// All links are up by then, and what runs every second is compiled.
const SETTLE_MS = 60_000
const BASE_PORT = 20_000
const TICKS_PER_S = 100

function makeDaemons(bed: Testbed, host: Host): Daemon[] {
  return Array.from(
    { length: DAEMONS },
    (_, i) =>
      new Daemon({
        name: `n${i + 1}`,
        folder: join(bed.folder, `n${i + 1}`),
        listen: `/ip4/127.0.0.1/tcp/${BASE_PORT + i}`,
        runtime: 'process',
        prefix: host.inside
      })
  )
}

/** Starts shoald itself, without the command that would wait for it. */
function startDirect(host: Host, daemon: Daemon, tokenFile: string, peer: string): void {
  const { name, listen, folder } = daemon.init
  const [runtime = '', ...program] = shoalProgram().map(part =>
    part.replace(/src\/cli\/main\.js$/, 'node/main.js').replace(/shoal\.js$/, 'shoald.js')
  )
  const where = ['--data-dir', daemon.dataDir, '--socket', daemon.client.socket]
  const flags = ['--name', name, '--listen', listen, '--runtime', 'process', ...where]
  const argv = [
    ...host.inside,
    runtime,
    ...NODE_FLAGS,
    ...program,
    ...flags,
    '--join',
    peer,
    '--token-file',
    tokenFile
  ]
  mkdirSync(folder, { recursive: true })
  const log = openSync(join(folder, 'direct.log'), 'a')
  spawn(argv[0] ?? '', argv.slice(1), { detached: true, stdio: ['ignore', log, log] }).unref()
}

/** When (wall clock, ms) a daemon had logged all as alive; undefined when it has not yet. */
function completeMs(daemon: Daemon): number | undefined {
  const alive = new Set<string>()
  const files = [join(daemon.dataDir, 'shoald.log'), join(daemon.init.folder, 'direct.log')]
  for (const line of files
    .filter(existsSync)
    .flatMap(file => readFileSync(file, 'utf8').split('\n'))) {
    const name = /"msg":"(\S+) alive/.exec(line)?.[1]
    if (name !== undefined) alive.add(name)
    if (alive.size === DAEMONS) return Number(/"time":"?([^",]+)/.exec(line)?.[1])
  }
  return undefined
}

async function listsAll(daemon: Daemon): Promise<boolean> {
  const nodes = (await apiGet(daemon.client.socket, '/v1/nodes', 5_000)) as readonly NodeView[]
  return nodes.filter(node => node.state === 'alive').length === DAEMONS
}

async function allListen(pid: number, ports: Set<number>): Promise<void> {
  await until(
    'every daemon listens',
    async () => {
      // What measures must not take the cores from what it measures: no process a look.
      const open = readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
      for (const port of ports) {
        const hex = port.toString(16).toUpperCase().padStart(4, '0')
        if (new RegExp(`:${hex} 00000000:0000 0A`).test(open)) ports.delete(port)
      }
      return ports.size === 0 ? true : undefined
    },
    { timeoutMs: 120_000, intervalMs: 20 }
  )
}

/** Seconds from the last one listening until every view lists all. */
async function formation(bed: Testbed, daemons: readonly Daemon[]): Promise<number> {
  const tokenFile = join(bed.folder, 'token')
  const [first, ...others] = daemons
  if (first === undefined) throw new Error('no daemon')
  await first.up()
  writeFileSync(tokenFile, await first.token())
  const peer = await first.address()
  for (const daemon of others) startDirect(bed.host(1), daemon, tokenFile, peer)
  await allListen(first.pids()[0] ?? 0, new Set(others.map((_, i) => BASE_PORT + 1 + i)))
  const startMs = Date.now()
  // Their own logs say when: asking twenty busy daemons again and again would be most of the load.
  const complete = await until(
    'every view lists all',
    async () => {
      const times = daemons.map(completeMs).filter(time => time !== undefined)
      return times.length === DAEMONS ? times : undefined
    },
    { timeoutMs: 180_000, intervalMs: 2_000 }
  )
  const tookS = (Math.max(...complete) - startMs) / 1000
  process.stdout.write(`  formed in ${tookS.toFixed(2)} s\n`)
  for (const daemon of daemons)
    if (!(await listsAll(daemon))) throw new Error(`${daemon.name} says so, but lists fewer`)
  return tookS
}

interface Idle {
  readonly cpuPercent: number[]
  readonly rssMiB: number[]
  readonly sentBytesS: number
}

function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}

async function loopbackBytes(host: Host): Promise<number> {
  const text = await must([...host.inside, 'cat', '/proc/net/dev'])
  return Number(/lo:\s*(\d+)/.exec(text)?.[1] ?? 0)
}

async function idle(host: Host, daemons: readonly Daemon[]): Promise<Idle> {
  await sleep(SETTLE_MS)
  const pids = daemons.map(daemon => daemon.pids()[0] ?? 0)
  const bytes = await loopbackBytes(host)
  const ticks = pids.map(cpuTicks)
  const startMs = monotonicMs()
  await sleep(IDLE_MS)
  const seconds = (monotonicMs() - startMs) / 1000
  const sent = (await loopbackBytes(host)) - bytes
  return {
    cpuPercent: pids.map(
      (pid, i) => ((cpuTicks(pid) - (ticks[i] ?? 0)) / TICKS_PER_S / seconds) * 100
    ),
    rssMiB: pids.map(pid => {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      return Number(/VmRSS:\s*(\d+)/.exec(status)?.[1] ?? 0) / 1024
    }),
    sentBytesS: sent / seconds / daemons.length
  }
}

/** Seconds until each other daemon called the killed one suspect, and dead: the slowest of all. */
async function killOne(
  daemons: readonly Daemon[],
  victim: Daemon
): Promise<{ suspectS: number; deadS: number }> {
  const others = daemons.filter(daemon => daemon !== victim)
  const heard = { suspect: new Map<string, number>(), dead: new Map<string, number>() }
  const stops = others.map(daemon =>
    apiEvents(daemon.client.socket, event => {
      if (event.kind !== 'member' || event.node !== victim.name) return
      for (const state of ['suspect', 'dead'] as const)
        if (new RegExp(`\\b${state}\\b`).test(event.text) && !heard[state].has(daemon.name))
          heard[state].set(daemon.name, monotonicMs())
    })
  )
  try {
    await sleep(1_000)
    for (const state of ['suspect', 'dead'] as const) heard[state].clear()
    const pids = victim.pids()
    const atMs = monotonicMs()
    for (const pid of pids) process.kill(pid, 'SIGKILL')
    await until(
      `${victim.name} is dead on all others`,
      () => (heard.dead.size === others.length ? true : undefined),
      { timeoutMs: 15_000, intervalMs: 20 },
      () => `; on ${heard.dead.size}`
    )
    const slowest = (times: Map<string, number>): number =>
      times.size < others.length ? Number.NaN : (Math.max(...times.values()) - atMs) / 1000
    return { suspectS: slowest(heard.suspect), deadS: slowest(heard.dead) }
  } finally {
    for (const stop of stops) stop()
  }
}

/** Two daemons stopped for three seconds: how many members anybody called dead. */
async function pauseTwo(daemons: readonly Daemon[]): Promise<number> {
  const paused = daemons.slice(2, 4)
  const dead = new Set<string>()
  const stops = daemons.map(daemon =>
    apiEvents(daemon.client.socket, event => {
      if (event.kind === 'member' && /\bdead\b/.test(event.text)) dead.add(event.node ?? '')
    })
  )
  await sleep(500)
  dead.clear()
  for (const daemon of paused) daemon.pause()
  await sleep(PAUSE_MS)
  for (const daemon of paused) daemon.resume()
  await sleep(5_000)
  for (const stop of stops) stop()
  return dead.size
}

function figures(
  formedS: readonly number[],
  quiet: Idle,
  kills: readonly { suspectS: number; deadS: number }[],
  marked: number
): readonly Figure[] {
  const suspect = kills.map(({ suspectS }) => suspectS)
  const dead = kills.map(({ deadS }) => deadS)
  return [
    {
      name: 'view complete after the last listens',
      unit: 's',
      samples: formedS,
      bar: { max: 2 }
    },
    { name: 'idle CPU a daemon', unit: '% of a core', samples: quiet.cpuPercent, bar: { max: 1 } },
    { name: 'idle, sent a daemon', unit: 'B/s', samples: [quiet.sentBytesS], bar: { max: 4096 } },
    { name: 'RSS a daemon', unit: 'MiB', samples: quiet.rssMiB, bar: { max: 110 } },
    { name: 'killed: suspect on all others', unit: 's', samples: suspect, bar: { max: 0.2 } },
    { name: 'killed: dead on all others', unit: 's', samples: dead, bar: { max: 2.5 } },
    { name: 'called dead while two were stopped 3 s', unit: '', samples: [marked], bar: { max: 0 } }
  ]
}

export const mesh20: Bench = {
  about: '20 daemons on one machine: formation, idle cost, detection, false deaths',
  run: async ({ count = KILLS }) => {
    const formedS: number[] = []
    while (formedS.length < FORMATIONS - 1) {
      const bed = await Testbed.open({ hosts: 1, engines: false })
      try {
        formedS.push(await formation(bed, makeDaemons(bed, bed.host(1))))
      } finally {
        await bed.close()
      }
    }
    const bed = await Testbed.open({ hosts: 1, engines: false })
    try {
      const host = bed.host(1)
      const daemons = makeDaemons(bed, host)
      formedS.push(await formation(bed, daemons))
      const quiet = await idle(host, daemons)
      const marked = await pauseTwo(daemons)
      const kills = []
      for (let round = 0; round < count; round++) {
        const victim = daemons[DAEMONS - 1 - round]
        if (victim === undefined) break
        kills.push(await killOne(daemons, victim))
        await victim.up()
        await until('it is back', async () => ((await listsAll(victim)) ? true : undefined), {
          timeoutMs: 20_000
        })
        await sleep(3_000)
      }
      return figures(formedS, quiet, kills, marked)
    } finally {
      await bed.close()
    }
  }
}
