/** The eyes of a nemesis run: what runs, all the time; what nodes say; what is wanted. */
import { census, containersOf, doublesOf, type Found } from './nemesis-census.ts'
import { EDIT_VARIABLE } from './nemesis-disks.ts'
import type { History, Wanted } from './nemesis-history.ts'
import type { NemesisHost } from './nemesis-host.ts'
import { sleep } from './testbed-run.ts'

const LOOK_MS = 250
const RETRY_MS = 100
const ASK_MS_MAX = 5_000
const DEAD_FORM = /^(\S+) dead\b/

export class Watch {
  readonly #hosts: readonly NemesisHost[]
  readonly #history: History
  readonly #names: ReadonlyMap<string, string>
  readonly #abort = new AbortController()
  readonly #loops: Promise<void>[] = []
  readonly #heard = new Set<string>()
  /** Times it looked at what runs. */
  looks = 0

  readonly #hasEngines: boolean

  constructor(hosts: readonly NemesisHost[], history: History, hasEngines: boolean) {
    this.#hosts = hosts
    this.#hasEngines = hasEngines
    this.#history = history
    this.#names = new Map(hosts.map(host => [host.network, host.name]))
  }

  start(): void {
    this.#loops.push(this.#look(), ...this.#hosts.map(host => this.#listen(host)))
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    await Promise.all(this.#loops)
  }

  /** What runs now, without the decoys. */
  async running(): Promise<Found[]> {
    const found = this.#hasEngines
      ? await Promise.all(this.#hosts.map(({ host, name }) => containersOf(name, host.engine)))
      : [census(this.#names)]
    return found.flat().filter(one => !one.isDecoy)
  }

  async #look(): Promise<void> {
    const { doubles, seen, decoysLost } = this.#history
    const known = new Set<string>()
    while (!this.#abort.signal.aborted) {
      this.looks += 1
      const atMs = Date.now()
      const found = await this.running()
      for (const one of found) seen.set(one.uid, { lastMs: atMs, host: one.host })
      for (const running of doublesOf(found)) {
        const name = running.map(one => one.pid).join(' ')
        if (!known.has(name)) doubles.push({ atMs, running })
        known.add(name)
      }
      for (const host of this.#hosts) {
        const what = await host.decoy.lost().catch(() => '')
        if (what !== '' && !known.has(`${host.name} ${what}`))
          decoysLost.push({ atMs, host: host.name, what })
        if (what !== '') known.add(`${host.name} ${what}`)
      }
      await sleep(LOOK_MS)
    }
  }

  async #listen(host: NemesisHost): Promise<void> {
    const { signal } = this.#abort
    let last: string | undefined
    while (!signal.aborted) {
      try {
        for await (const event of host.client.events(last, signal)) {
          last = event.id
          const subject = event.kind === 'member' ? DEAD_FORM.exec(event.text)?.[1] : undefined
          if (subject === undefined || this.#heard.has(event.id)) continue
          this.#heard.add(event.id)
          const atMs = Date.parse(event.time)
          this.#history.deaths.push({ observer: host.name, subject, atMs })
        }
      } catch {
        // Killed, stopped or not there yet: asked again until the run is over.
      }
      await sleep(RETRY_MS)
    }
  }
}

/** What a node says is wanted, sorted by key. */
export async function wantedOf(host: NemesisHost): Promise<Wanted[]> {
  const signal = AbortSignal.timeout(ASK_MS_MAX)
  const rows = [...(await host.client.workloads(signal))]
  const details = await Promise.all(rows.map(row => host.client.workload(row, signal)))
  return details
    .map(({ project, name, uid, spec, conflicting }) => ({
      key: `workload/${project}/${name}`,
      uid,
      replicas: spec.replicas,
      edit: spec.env[EDIT_VARIABLE] ?? '',
      conflicts: conflicting.map(one => ({
        uid: one.uid,
        edit: one.spec?.env[EDIT_VARIABLE] ?? ''
      }))
    }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
}
