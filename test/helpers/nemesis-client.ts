/**
 * Clients that deploy, edit, scale and remove on random nodes, each operation under an id of its
 * own, and that send ids again: at once where the outcome is unknown, and much later. Whatever they
 * are told goes into the history, with what the disks held right after an acknowledgement.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SeededRandom } from '../../gossip/core/random.ts'
import type { Client } from '../../src/api/client.ts'
import type { ChangeAnswer } from '../../src/api/types.ts'
import { type ErrorCode, ShoalError } from '../../src/errors.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import { PROGRAM } from './nemesis-census.ts'
import { holds } from './nemesis-checks.ts'
import { EDIT_VARIABLE, readDisk, writesOf } from './nemesis-disks.ts'
import {
  type Attempt,
  dotName,
  type History,
  type Operation,
  type Told
} from './nemesis-history.ts'
import type { NemesisHost } from './nemesis-host.ts'
import { sleep } from './testbed-run.ts'
import { spec } from './workload.ts'

const CALL_MS_MAX = 8_000
const PAUSE_MS = 250
const RETRIES_MAX = 3
const REPLICAS_MAX = 3
/** One command starts a program, which costs as much as ten calls. */
const ONE_COMMAND_IN = 10
const REPEAT_OLD_PERCENT = 6

export interface ClientInit {
  readonly hosts: readonly NemesisHost[]
  readonly history: History
  readonly random: SeededRandom
  /** Folder for Compose files. */
  readonly folder: string
  /** Sample the disks of one acknowledgement in so many. */
  readonly sampleOneIn: number
  /** '': the process runtime. */
  readonly image: string
}

/** What a call sends, so that the same can be sent again. */
interface Request {
  readonly operation: Operation
  readonly send: (host: NemesisHost) => Promise<ChangeAnswer>
}

export class NemesisClient {
  readonly #c: ClientInit
  readonly #name: string
  readonly #done: Request[] = []
  #count = 0
  #isPaused = false
  #isBusy = false
  readonly #abort = new AbortController()
  /** Commands that ran, of all attempts. */
  commands = 0

  constructor(init: ClientInit, name: string) {
    this.#c = init
    this.#name = name
  }

  /** Works on these names, one operation after another, until `stop`. */
  async run(names: readonly string[]): Promise<void> {
    const { random } = this.#c
    while (!this.#abort.signal.aborted) {
      if (!this.#isPaused) {
        this.#isBusy = true
        const again = this.#done.length > 0 && random.int(100) < REPEAT_OLD_PERCENT
        const old = again ? this.#done[random.int(this.#done.length)] : undefined
        const name = names[random.int(names.length)] ?? ''
        if (old !== undefined) await this.#attempt(old)
        else await this.#perform(this.#draw(name))
        this.#isBusy = false
      }
      await sleep(PAUSE_MS)
    }
  }

  stop(): void {
    this.#abort.abort()
  }

  /** Nothing is under way when it resolves. */
  async pause(): Promise<void> {
    this.#isPaused = true
    while (this.#isBusy) await sleep(20)
  }

  resume(): void {
    this.#isPaused = false
  }

  #draw(path: string): Request {
    const { random } = this.#c
    const [project = '', name = ''] = path.split('/')
    this.#count += 1
    const id = `${this.#name}-${this.#count}-${random.hex(8)}`
    const make = (kind: Operation['kind']): Operation => ({
      ...{ id, kind, key: `workload/${path}`, attempts: [] }
    })
    const dice = random.int(100)
    const replicas = 1 + random.int(REPLICAS_MAX)
    if (dice < 55) return this.#deploy(make('deploy'), { project, name, replicas })
    if (dice < 80) {
      return this.#request(make('scale'), ['scale', `${path}=${replicas}`], (client, signal) =>
        client.scale({ operation: id, project, name, replicas }, signal)
      )
    }
    return this.#request(make('rm'), ['rm', path, '-y'], (client, signal) =>
      client.remove({ operation: id, project, name }, signal)
    )
  }

  #deploy(
    operation: Operation,
    what: { readonly project: string; readonly name: string; readonly replicas: number }
  ): Request {
    const { project, name, replicas } = what
    const { image } = this.#c
    const workload: WorkloadSpec = spec({
      ...{ project, name, replicas, command: [...PROGRAM] },
      ...(image === '' ? { runtime: 'process' as const } : { runtime: 'docker' as const, image }),
      env: { [EDIT_VARIABLE]: operation.id }
    })
    const request = { operation: operation.id, project, prune: false, dryRun: false }
    const file = join(this.#c.folder, `${operation.id}.yaml`)
    const env = `environment: { ${EDIT_VARIABLE}: ${operation.id} }`
    const from = image === '' ? '' : `image: ${image}, `
    const lines = `${from}command: ${JSON.stringify(PROGRAM)}, deploy: { replicas: ${replicas} }, ${env}`
    writeFileSync(file, `services: { ${name}: { ${lines} } }\n`)
    const command = ['deploy', '-f', file, '-p', project]
    return this.#request(operation, command, (client, signal) =>
      client.deploy({ ...request, workloads: [workload] }, signal)
    )
  }

  /** Some operations are commands, each time they are sent: the others are calls. */
  #request(
    operation: Operation,
    command: readonly string[],
    call: (client: Client, signal: AbortSignal) => Promise<ChangeAnswer>
  ): Request {
    const isCommand = this.#c.random.int(ONE_COMMAND_IN) === 0
    const argv = [...command, '-d', '--operation', operation.id, '-o', 'json']
    return {
      operation,
      send: isCommand
        ? host => this.#command(host, argv)
        : host => call(host.client, AbortSignal.timeout(CALL_MS_MAX))
    }
  }

  /** Sends it; where the outcome is unknown, mostly sends it again, to whichever node. */
  async #perform(request: Request): Promise<void> {
    const { history, random } = this.#c
    history.operations.push(request.operation)
    this.#done.push(request)
    let told = await this.#attempt(request)
    for (let i = 0; i < RETRIES_MAX && told.outcome === 'unknown'; i++) {
      if (random.int(5) === 0) return
      told = await this.#attempt(request)
    }
    if (told.outcome === 'ok' && random.int(this.#c.sampleOneIn) === 0)
      await this.#sample(request.operation, told)
    // Any order, any node: also at once, after a success.
    if (told.outcome === 'ok' && random.int(6) === 0) await this.#attempt(request)
  }

  async #attempt(request: Request): Promise<Attempt> {
    const { hosts, random } = this.#c
    const up = hosts.filter(host => host.isUp)
    const host = (up.length > 0 ? up : hosts)[random.int(up.length || hosts.length)]
    if (host === undefined) throw new Error('no host')
    const sentMs = Date.now()
    const told = await tell(request.send(host))
    const attempt = { ...told, node: host.name, sentMs, doneMs: Date.now() }
    request.operation.attempts.push(attempt)
    return attempt
  }

  async #command(host: NemesisHost, argv: readonly string[]): Promise<ChangeAnswer> {
    this.commands += 1
    const { code, stdout, stderr } = await host.cli.run(argv, { timeoutMs: CALL_MS_MAX })
    // What it printed counts, whatever it thinks of the placement.
    if (stdout.trim() !== '') return JSON.parse(stdout) as ChangeAnswer
    const known = /error\[(\w+)\]/.exec(stderr)?.[1] as ErrorCode | undefined
    throw new ShoalError(known ?? 'UNKNOWN_OUTCOME', `exit ${code}`)
  }

  async #sample(operation: Operation, told: Told): Promise<void> {
    const { history, hosts } = this.#c
    const disks = await Promise.all(hosts.map(host => readDisk(host.name, host.dataDir)))
    for (const disk of disks)
      for (const write of writesOf(disk)) history.writes.set(dotName(write.dot), write)
    const read = disks.filter(disk => disk.damage === '')
    const holders = read.filter(disk => holds(disk, operation, history.writes))
    history.samples.push({
      operation: operation.id,
      // A disk that is full or torn while it is copied says nothing of the others.
      claimed: Math.max(0, told.disks - (disks.length - read.length)),
      holders: holders.map(disk => disk.host),
      read: read.map(disk => disk.host)
    })
  }
}

async function tell(sent: Promise<ChangeAnswer>): Promise<Told> {
  try {
    const answer = await sent
    const changes = answer.changes.map(({ project, name, uid, change }) => ({
      ...{ key: `workload/${project}/${name}`, uid, change }
    }))
    return { outcome: 'ok', code: '', disks: answer.acks.disks, changes }
  } catch (error) {
    const code = error instanceof ShoalError ? error.code : 'TIMEOUT'
    const isOpen = code === 'UNKNOWN_OUTCOME' || code === 'TIMEOUT'
    return { outcome: isOpen ? 'unknown' : 'refused', code, disks: 0, changes: [] }
  }
}
