/**
 * One run of the nemesis: five hosts, clients, faults in phases, a calm after each phase in which
 * everything must come right, and at the end the disks. Gives what the checkers found.
 */
import { appendFileSync, cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SeededRandom } from '../../gossip/core/random.ts'
import {
  checkAll,
  differences,
  oldDoneAgain,
  SETTLE_MS_MAX,
  selfConflicts
} from './nemesis-checks.ts'
import { NemesisClient } from './nemesis-client.ts'
import { readDisk, writesOf } from './nemesis-disks.ts'
import { type Counts, Faults, type Wanted } from './nemesis-faults.ts'
import { dotName, type History, newHistory, type Settled } from './nemesis-history.ts'
import { diskFolder, NemesisHost, removeDisks, removeOrphanDisks } from './nemesis-host.ts'
import { Watch, wantedOf } from './nemesis-watch.ts'
import { Testbed } from './testbed.ts'
import { sleep } from './testbed-run.ts'

const HOSTS = 5
const SETTLE_POLL_MS = 250
/** Longer than is allowed: whether it comes right late or never is worth knowing. */
const SETTLE_GIVE_UP_MS = 2 * SETTLE_MS_MAX

/** Whose names are whose; the last ones are shared, so that edits meet. */
const CLIENT_NAMES: readonly (readonly string[])[] = [
  ['p0/a', 'p0/b', 'p9/s', 'p9/t'],
  ['p1/a', 'p1/b', 'p9/s', 'p9/t'],
  ['p2/a', 'p2/b']
]

export interface NemesisInit {
  readonly seed: number
  readonly wanted: Wanted
  /** Real Docker engines instead of the process runtime. */
  readonly engines?: boolean
  /** Of faults, at most; the calm after each phase comes on top. */
  readonly faultsMs: number
  readonly phaseMs: number
  /** Sample the disks of one acknowledgement in so many. */
  readonly sampleOneIn: number
  /** Told what is done, line by line. */
  readonly say: (text: string) => void
}

export interface NemesisResult {
  readonly summary: string
  readonly violations: readonly string[]
  readonly isEnough: boolean
  readonly counts: Counts
  readonly acks: number
  /** Where history and logs are; '' without a violation. */
  readonly kept: string
}

interface Run {
  readonly init: NemesisInit
  readonly history: History
  readonly hosts: readonly NemesisHost[]
  readonly faults: Faults
  readonly clients: readonly NemesisClient[]
  readonly watch: Watch
  readonly say: (text: string) => void
}

async function formMesh(hosts: readonly NemesisHost[]): Promise<void> {
  const [first, ...others] = hosts
  if (first === undefined) throw new Error('no host')
  for (const host of hosts) await host.mount()
  first.start()
  await first.untilReady()
  const { token, addresses } = await first.client.token(AbortSignal.timeout(5_000))
  const file = join(diskFolder(), 'token')
  writeFileSync(file, token, { mode: 0o600 })
  for (const host of others)
    host.start({ join: ['--join', addresses[0] ?? '', '--token-file', file] })
  for (const host of others) await host.untilReady()
  for (const host of hosts) {
    await host.decoy.add()
    host.heal()
  }
}

/** Waits until everything is right, or gives up; either way it is recorded. */
async function settle({ hosts, history, watch, say }: Run, healedMs: number): Promise<Settled> {
  for (;;) {
    const wanted = new Map<string, Awaited<ReturnType<typeof wantedOf>>>()
    let fault = ''
    for (const host of hosts) {
      try {
        wanted.set(host.name, await wantedOf(host))
      } catch (error) {
        // One that is removed between the list and its detail; or a node that does not answer.
        fault = `${host.name}: ${String(error)}`
      }
    }
    const settled = { healedMs, atMs: Date.now(), wanted, running: await watch.running() }
    const wrong = fault === '' ? differences(settled) : [fault]
    const isOver = settled.atMs - healedMs > SETTLE_GIVE_UP_MS
    if (wrong.length === 0 || isOver) {
      history.settled.push(settled)
      const took = ((settled.atMs - healedMs) / 1_000).toFixed(1)
      say(wrong.length === 0 ? `settled in ${took} s` : `not settled: ${wrong.join('; ')}`)
      return settled
    }
    await sleep(SETTLE_POLL_MS)
  }
}

async function phases(run: Run): Promise<void> {
  const { init, faults, clients } = run
  const endMs = Date.now() + init.faultsMs
  let settled: Settled | undefined
  do {
    for (const client of clients) client.resume()
    await faults.phase(Math.min(init.phaseMs, endMs - Date.now()), init.wanted)
    await Promise.all(clients.map(client => client.pause()))
    await faults.heal()
    settled = await settle(run, Date.now())
    if (differences(settled).length > 0) return
  } while (Date.now() < endMs && !faults.isEnough(init.wanted))
}

/** Stops all daemons and reads their stores. */
async function readDisks({ hosts, history }: Run): Promise<void> {
  await Promise.all(hosts.map(host => host.stop()))
  const disks = await Promise.all(hosts.map(host => readDisk(host.name, host.dataDir)))
  for (const disk of disks)
    for (const write of writesOf(disk)) history.writes.set(dotName(write.dot), write)
  history.final = disks
}

function summaryOf(
  init: NemesisInit,
  history: History,
  numbers: { readonly counts: Counts; readonly looks: number; readonly commands: number },
  violations: number
): string {
  const { kills, failpoints, hosts, cuts, resets, pauses, disks } = numbers.counts
  const { operations, samples, settled, deaths } = history
  const attempts = operations.flatMap(operation => operation.attempts)
  const count = (outcome: string): number =>
    attempts.filter(attempt => attempt.outcome === outcome).length
  const settleS = settled.map(({ healedMs, atMs }) => (atMs - healedMs) / 1_000)
  const disksRead = samples.reduce((sum, sample) => sum + sample.read.length, 0)
  const worst = Math.max(0, ...settleS).toFixed(1)
  return [
    `nemesis seed ${init.seed}: ${kills} kills (${failpoints} at failpoints, ${hosts} hosts)`,
    `${cuts} cuts, ${resets} resets, ${pauses} pauses, ${disks} full disks`,
    `${operations.length} operations sent ${attempts.length} times (${numbers.commands} commands)`,
    `${count('ok')} acks (${samples.length} looked up on ${disksRead} disks)`,
    `${count('unknown')} unknown`,
    `${settled.length} calms (settled in ${worst} s at most), ${numbers.looks} looks`,
    `${deaths.length} deaths told, ${selfConflicts(history)} conflicts with themselves`,
    `${oldDoneAgain(history).length} old ids done again`,
    `${violations} violations`
  ].join('; ')
}

/** History and logs, for whoever looks into a violation. */
function keep(run: Run, violations: readonly string[], notes: readonly string[]): string {
  const folder = join(tmpdir(), `shoal-nemesis-${run.init.seed}-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  const plain = (_key: string, value: unknown): unknown =>
    value instanceof Map ? [...value] : value
  writeFileSync(join(folder, 'history.json'), JSON.stringify(run.history, plain, 1))
  writeFileSync(join(folder, 'violations.txt'), `${violations.join('\n')}\n`)
  writeFileSync(join(folder, 'faults.txt'), `${notes.join('\n')}\n`)
  for (const host of run.hosts) {
    const log = join(host.folder, 'shoald.log')
    if (existsSync(log)) cpSync(log, join(folder, `${host.name}.log`))
    const state = join(host.dataDir, 'state')
    const filter = (path: string): boolean => !path.endsWith('/ballast')
    if (existsSync(state)) cpSync(state, join(folder, host.name), { recursive: true, filter })
  }
  appendFileSync(join(folder, 'violations.txt'), `npm run nemesis -- --seed ${run.init.seed}\n`)
  return folder
}

async function drive(run: Run): Promise<string[]> {
  const loops: Promise<void>[] = []
  try {
    await formMesh(run.hosts)
    run.watch.start()
    loops.push(
      ...run.clients.map((client, i) => client.run(CLIENT_NAMES[i % CLIENT_NAMES.length] ?? []))
    )
    await phases(run)
    return []
  } catch (error) {
    return [`run: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`]
  } finally {
    for (const client of run.clients) client.stop()
    await Promise.all(loops)
    await run.watch.stop()
    await readDisks(run)
  }
}

/** Runs it; never throws for what the daemons do. */
export async function nemesis(init: NemesisInit): Promise<NemesisResult> {
  await removeOrphanDisks()
  const engines = init.engines === true
  const bed = await Testbed.open({ hosts: HOSTS, engines })
  try {
    mkdirSync(diskFolder(), { recursive: true })
    const startMs = Date.now()
    const notes: string[] = []
    const say = (text: string): void => {
      const line = `${((Date.now() - startMs) / 1_000).toFixed(1).padStart(7)} ${text}`
      notes.push(line)
      init.say(line)
    }
    const history = newHistory()
    const image = engines ? bed.image.name : ''
    const hosts = bed.hosts.map(host => new NemesisHost(host, history, image))
    const { seed, sampleOneIn } = init
    const random = (stream: number): SeededRandom => new SeededRandom(seed * 16 + stream)
    const faults = new Faults({ bed, hosts, history, random: random(0), say })
    const clients = CLIENT_NAMES.map(
      (_, i) =>
        new NemesisClient(
          { hosts, history, random: random(i + 1), folder: diskFolder(), sampleOneIn, image },
          `c${i}`
        )
    )
    const watch = new Watch(hosts, history, engines)
    const run = { init, history, hosts, faults, clients, watch, say }
    const failures = await drive(run)
    const violations = [...failures, ...checkAll(history)]
    const commands = clients.reduce((sum, client) => sum + client.commands, 0)
    const numbers = { counts: faults.counts, looks: run.watch.looks, commands }
    return {
      summary: summaryOf(init, history, numbers, violations.length),
      violations,
      isEnough: faults.isEnough(init.wanted),
      counts: faults.counts,
      acks: history.operations.filter(one => one.attempts.some(({ outcome }) => outcome === 'ok'))
        .length,
      kept: violations.length > 0 ? keep(run, violations, notes) : ''
    }
  } finally {
    await bed.close()
    await removeDisks(diskFolder())
  }
}
