/**
 * `shoal demo`: three local daemons, a Compose app, one daemon killed with its workloads, and the
 * takeover as it happens. Everything is driven through the commands and the API that people have,
 * and everything is cleaned up, also after Ctrl-C and after a failure.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AllocationView, WorkloadDetail } from '../../api/types.ts'
import { ShoalError } from '../../errors.ts'
import { Progress } from '../progress.ts'
import { Interrupted, type Terminal } from '../terminal.ts'
import { plain } from '../text.ts'
import { type DemoEngine, type DemoImage, findEngine } from './engine.ts'
import { type DemoNode, type DemoRuntime, shoal, socketOf, startNode, stopNode } from './nodes.ts'
import { killGroups, processesOf } from './processes.ts'

export interface DemoOptions {
  /** Undefined: containers where they can be had. */
  readonly runtime: 'docker' | 'process' | undefined
  readonly dockerHost: string | undefined
}

const NAMES = ['harbor', 'island', 'lagoon'] as const
const PROJECT = 'demo'
const SERVICES = ['web', 'worker'] as const
const REPLICAS_EACH = 3
const TAKEOVER_TIMEOUT_MS = 30_000
const CLEAN_TIMEOUT_MS = 15_000
const POLL_MS = 100

/** What must be undone, filled in as it is done. */
interface Stage {
  readonly folder: string
  readonly nodes: DemoNode[]
  mesh: string | undefined
  engine: DemoEngine | undefined
  image: DemoImage | undefined
}

export async function demo(terminal: Terminal, options: DemoOptions): Promise<void> {
  // Short: a socket's path has 107 bytes.
  const folder = mkdtempSync(join(tmpdir(), 'shoal-'))
  const stage: Stage = {
    folder,
    nodes: [],
    mesh: undefined,
    engine: undefined,
    image: undefined
  }
  try {
    const last = await perform(terminal, options, stage)
    await clean(terminal, stage)
    terminal.stdout.write(`${last}\n`)
  } catch (error) {
    await clean(terminal, stage)
    throw terminal.signal.aborted ? new Interrupted('interrupted') : error
  }
}

async function perform(terminal: Terminal, options: DemoOptions, stage: Stage): Promise<string> {
  const say = (text: string): void => void terminal.stdout.write(`${text}\n`)
  const { signal } = terminal
  const runtime = await chooseRuntime(terminal, options, stage)

  say(`\n1. Three daemons on this machine, each a host of its own for the mesh`)
  for (const name of NAMES) {
    const init = { name, folder: join(stage.folder, name), runtime, first: stage.nodes[0] }
    const node = await startNode(init, signal)
    stage.nodes.push(node)
    stage.mesh = node.ready.mesh
    const how = stage.nodes.length === 1 ? 'shoal up' : 'shoal join'
    say(
      `   ${how.padEnd(10)}  ${name.padEnd(8)}${node.ready.addresses[0]?.split('/p2p/')[0] ?? ''}`
    )
  }
  const [first] = stage.nodes
  if (first === undefined) throw new ShoalError('INTERNAL', 'no node was started')

  say('\n2. shoal deploy -f compose.yaml')
  const file = join(stage.folder, 'compose.yaml')
  writeFileSync(file, composeText(runtime, stage.image))
  await shoal({ args: ['deploy', '-f', file, `--socket=${first.socket}`], signal, isShown: true })

  const victim = await chooseVictim(stage.nodes, signal)
  const survivors = stage.nodes.filter(node => node !== victim)
  const asked = survivors[0] ?? first
  say('\n3. shoal ps')
  await shoal({ args: ['ps', `--socket=${asked.socket}`], signal, isShown: true })

  const lost = await running(asked, victim, signal)
  say(`\n4. kill -9 ${victim.name}: its daemon and its ${lost.length} replicas`)
  const seconds = await killAndWatch(terminal, { victim, asked, lost: lost.length, stage })
  say('')
  await shoal({ args: ['ps', `--socket=${asked.socket}`], signal, isShown: true })
  await shoal({ args: ['status', '-q', `--socket=${asked.socket}`], signal, isShown: true })
  const back = `${lost.length} replicas back in ${seconds.toFixed(1)} s`
  return `demo: ok, ${back} after killing ${victim.name}`
}

async function chooseRuntime(
  terminal: Terminal,
  options: DemoOptions,
  stage: Stage
): Promise<DemoRuntime> {
  const say = (text: string): void => void terminal.stdout.write(`${text}\n`)
  const processes: DemoRuntime = { name: 'process', dockerHost: undefined }
  if (options.runtime === 'process') {
    say('runtime: plain processes')
    return processes
  }
  stage.engine = await findEngine(terminal.env, options.dockerHost)
  stage.image = await stage.engine?.image()
  if (stage.engine !== undefined && stage.image !== undefined) {
    say(`runtime: containers, image ${stage.image.name} (${stage.image.how})`)
    return { name: 'docker', dockerHost: stage.engine.host }
  }
  const why = stage.engine === undefined ? 'no container engine answers' : 'no image can be had'
  if (options.runtime === 'docker')
    throw new ShoalError('RUNTIME', `the demo cannot run containers: ${why}`)
  say(`runtime: plain processes, because ${why}`)
  return processes
}

function composeText(runtime: DemoRuntime, image: DemoImage | undefined): string {
  const what = image === undefined ? [] : [`    image: ${image.name}`]
  const command = (text: string): string => `    command: ["sh", "-c", "${text}"]`
  return [
    `name: ${PROJECT}`,
    'services:',
    ...SERVICES.flatMap(service => [
      `  ${service}:`,
      ...what,
      command(`while true; do echo ${service} is alive; sleep 1; done`),
      '    deploy:',
      `      replicas: ${REPLICAS_EACH}`,
      '    x-shoal:',
      `      runtime: ${runtime.name}`,
      ''
    ])
  ].join('\n')
}

/** The one that runs most, but never the first: its name is on the screen already. */
async function chooseVictim(nodes: readonly DemoNode[], signal: AbortSignal): Promise<DemoNode> {
  const [first, ...others] = nodes
  const all = (await first?.client.allocations({ project: PROJECT }, signal)) ?? []
  const load = (node: DemoNode): number => all.filter(one => one.nodeId === node.ready.id).length
  const [victim] = others.sort((a, b) => load(b) - load(a))
  if (victim === undefined || load(victim) === 0)
    throw new ShoalError('RUNTIME', 'every replica landed on one node')
  return victim
}

async function running(
  asked: DemoNode,
  on: DemoNode,
  signal: AbortSignal
): Promise<readonly AllocationView[]> {
  const all = await asked.client.allocations({ project: PROJECT }, signal)
  return all.filter(one => one.nodeId === on.ready.id)
}

interface Kill {
  readonly victim: DemoNode
  /** A survivor, which is asked how it goes. */
  readonly asked: DemoNode
  readonly lost: number
  readonly stage: Stage
}

/** Seconds from the kill until every replica is healthy on a living node. */
async function killAndWatch(terminal: Terminal, kill: Kill): Promise<number> {
  const { victim, asked, stage } = kill
  const { signal } = terminal
  const details = await Promise.all(
    SERVICES.map(name => asked.client.workload({ project: PROJECT, name }, signal))
  )
  const startMs = performance.now()
  await endHost(stage, victim, details)
  const progress = new Progress(terminal, terminal.stdout)
  for (;;) {
    const [all, nodes] = await Promise.all([
      asked.client.allocations({ project: PROJECT }, signal),
      asked.client.nodes(signal)
    ])
    const seconds = (performance.now() - startMs) / 1_000
    const state = nodes.find(one => one.id === victim.ready.id)?.state ?? 'unknown'
    progress.show([
      `   ${victim.name} is ${state}`,
      ...all.map(one => `   ${lineOf(one, victim.ready.id)}`)
    ])
    const well = all.filter(one => one.state === 'healthy' && one.nodeId !== victim.ready.id)
    if (well.length >= SERVICES.length * REPLICAS_EACH) {
      progress.end()
      return seconds
    }
    if (seconds * 1_000 > TAKEOVER_TIMEOUT_MS)
      throw new ShoalError('TIMEOUT', `not all replicas are back within ${Math.round(seconds)} s`)
    await sleep(POLL_MS)
    signal.throwIfAborted()
  }
}

function lineOf(one: AllocationView, victimId: string): string {
  const where = one.nodeId === victimId ? `${one.node} (killed)` : (one.node ?? '-')
  return plain(`${one.workload}/${one.slot}`.padEnd(12) + where.padEnd(18) + one.state)
}

/** As when a host loses power: first the daemon, so that it restarts nothing. */
async function endHost(
  stage: Stage,
  victim: DemoNode,
  details: readonly WorkloadDetail[]
): Promise<void> {
  process.kill(victim.ready.pid, 'SIGKILL')
  killGroups(processesOf(details, victim.ready.id))
  await stage.engine?.kill(victim.ready.mesh, victim.ready.id)
}

/** Best effort on every step: what fails must not keep the next from being done. */
async function clean(terminal: Terminal, stage: Stage): Promise<void> {
  const attempt = async (work: () => unknown): Promise<void> => {
    try {
      await work()
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      terminal.stderr.write(`note: cleaning up: ${plain(message)}\n`)
    }
  }
  const signal = AbortSignal.timeout(CLEAN_TIMEOUT_MS)
  await attempt(() => removeApp(stage, signal))
  await Promise.all(NAMES.map(name => attempt(() => stopNode(socketOf(join(stage.folder, name))))))
  await attempt(async () => {
    if (stage.mesh !== undefined) await stage.engine?.clean(stage.mesh, stage.image)
  })
  await attempt(() => rmSync(stage.folder, { recursive: true, force: true }))
}

/** Processes outlive their daemon: they are stopped while a daemon still can. */
async function removeApp(stage: Stage, signal: AbortSignal): Promise<void> {
  for (const { client } of stage.nodes) {
    const known = await client.workloads(signal).catch(() => undefined)
    if (known === undefined) continue
    if (known.length === 0) return
    const operation = `demo-${process.pid}-end`
    await client.remove({ operation, project: PROJECT }, signal)
    while ((await client.allocations({ all: true }, signal)).some(one => one.nodeId !== null)) {
      await sleep(POLL_MS)
      signal.throwIfAborted()
    }
    return
  }
}
