/** What a scenario does to its world: one function a command. */
import { SeededRandom } from '../../../gossip/core/random.ts'
import type { Submission } from '../../../node/agent/api.ts'
import { DATA_VOLUME, spec } from '../../helpers/agent.ts'
import type { SimDisk } from '../world/disk.ts'
import { SimHost } from '../world/host.ts'
import type { World } from '../world/world.ts'
import { readNames } from './names.ts'
import type { Notes } from './notes.ts'
import type { Referee } from './referee.ts'

const PROJECT = 'demo'

/** People ask the host that they name, and ask again only when no answer came. */
class Certain extends SeededRandom {
  override int(below: number): number {
    return below - 1
  }
}

export class Acts {
  readonly #world: World
  readonly #referee: Referee
  readonly #notes: Notes
  readonly #backups = new Map<string, ReturnType<SimDisk['image']>>()
  /** Whoever is not as promises assume it, and what ends that. */
  readonly #disturbed = new Map<string, () => void>()
  readonly #acts: Readonly<Record<string, (words: readonly string[]) => void>>

  constructor(world: World, referee: Referee, notes: Notes) {
    this.#world = world
    this.#referee = referee
    this.#notes = notes
    this.#acts = {
      hosts: ([count]) => this.#grow(Number(count)),
      join: ([, peer = '']) => void world.add([world.host(peer).address]),
      leave: ([id = '']) => this.#leave(world.host(id)),
      deploy: words => this.#deploy(words),
      scale: ([name = '', count, , at = '']) =>
        this.#ask({ kind: 'scale', project: PROJECT, name, replicas: Number(count) }, at),
      remove: ([name = '', , at = '']) => this.#ask({ kind: 'remove', project: PROJECT, name }, at),
      kill: ([ids = '']) => this.#each(ids, host => this.#down(host, false)),
      off: ([ids = '']) => this.#each(ids, host => this.#down(host, true)),
      start: ([ids = '', , peer]) => this.#each(ids, host => this.#start(host, peer)),
      restart: ([ids = '']) => this.#each(ids, host => this.#restart(host)),
      cut: ([left = '', , right = '']) => this.#cut(readNames(left), readNames(right)),
      heal: () => this.#heal(),
      pause: ([ids = '']) => this.#each(ids, host => this.#pause(host)),
      resume: ([ids = '']) => this.#each(ids, host => this.#resume(host)),
      starve: ([id = '', ms]) => world.host(id).process?.starve(Number(ms)),
      wipe: ([id = '']) => this.#wipe(world.host(id)),
      copy: ([id = '']) => this.#copy(world.host(id)),
      discard: ([id = '']) => this.#discard(world.host(id)),
      backup: ([id = '']) => void this.#backups.set(id, world.host(id).disk.image()),
      restore: ([id = '']) => this.#restore(world.host(id))
    }
  }

  has(verb: string): boolean {
    return Object.hasOwn(this.#acts, verb)
  }

  do(words: readonly string[]): void {
    const [verb = '', ...rest] = words
    this.#acts[verb]?.(rest)
  }

  #each(ids: string, act: (host: SimHost) => void): void {
    for (const id of readNames(ids)) act(this.#world.host(id))
  }

  /** More that start at once by the address of the first. */
  #grow(count: number): void {
    this.#world.grow(count)
  }

  #leave(host: SimHost): void {
    void host.leave().then(said => {
      const notes = said === 'refused' ? [] : said.map(note => `; ${note}`)
      this.#notes.host(host, said === 'refused' ? 'may not leave' : `has left${notes.join('')}`)
    })
  }

  /** `web replicas=3 version=2 data at n0` */
  #deploy([name = '', ...words]: readonly string[]): void {
    const given = new Map<string, string>()
    for (const word of words) {
      const [field = '', value = ''] = word.split('=')
      given.set(field, value)
    }
    const version = given.get('version')
    const workload = spec({
      name,
      replicas: Number(given.get('replicas') ?? 1),
      env: version === undefined ? {} : { VERSION: version },
      ...(given.has('data') ? { volumes: [DATA_VOLUME], partition: 'manual' } : {})
    })
    const submission = { kind: 'apply', project: PROJECT, workloads: [workload], prune: false }
    this.#ask(submission as Submission, words[words.indexOf('at') + 1] ?? '')
  }

  #ask(submission: Submission, at: string): void {
    this.#referee.faults.client.ask(submission, new Certain(1), [this.#world.host(at)])
  }

  #down(host: SimHost, withHost: boolean): void {
    this.#disturb(host)
    if (host.isUp) host.kill(withHost)
    else if (withHost) host.engine.crash()
    if (withHost) host.isOn = false
  }

  #start(host: SimHost, peer: string | undefined): void {
    host.start(peer === undefined ? undefined : [this.#world.host(peer).address])
    this.#calm(host)
  }

  /** As `systemctl restart` does. */
  #restart(host: SimHost): void {
    this.#disturb(host)
    host.restartPlanned()
    this.#world.clock.schedule(RESTARTED_MS, () => this.#start(host, undefined))
  }

  #cut(left: readonly string[], right: readonly string[]): void {
    for (const id of [...left, ...right]) this.#disturb(this.#world.host(id))
    this.#world.partition(left, right)
  }

  #heal(): void {
    this.#world.heal()
    for (const host of this.#world.hosts.values()) if (host.isUp) this.#calm(host)
  }

  #pause(host: SimHost): void {
    this.#disturb(host)
    host.pause()
  }

  #resume(host: SimHost): void {
    host.resume()
    this.#calm(host)
  }

  /** A machine that is set up anew: nothing that was on its disk is there. */
  #wipe(host: SimHost): void {
    this.#down(host, true)
    host.loseDisk()
  }

  /** Its data directory, started on another machine; that one is `c6` when six hosts are there. */
  #copy(host: SimHost): void {
    const { world } = host
    this.#disturb(host)
    this.#referee.faults.count(['F40'])
    world.hadClone = true
    host.hadClone = true
    const copy = new SimHost(world, { id: `c${world.nextNumber()}`, zone: host.zone })
    copy.identity = host.identity
    copy.disk.restore(host.disk.image())
    world.hosts.set(copy.id, copy)
    copy.start()
  }

  /** Somebody takes the copy away again. */
  #discard(host: SimHost): void {
    host.off()
    this.#world.hosts.delete(host.id)
  }

  #restore(host: SimHost): void {
    const image = this.#backups.get(host.id)
    if (image === undefined || host.isUp) throw new Error(`${host.id} runs, or has no backup`)
    this.#referee.faults.count(['F39'])
    host.disk.restore(image)
  }

  #disturb(host: SimHost): void {
    if (this.#disturbed.has(host.id)) return
    this.#disturbed.set(host.id, this.#referee.faults.disturbance.begin([host.id]))
  }

  #calm(host: SimHost): void {
    this.#disturbed.get(host.id)?.()
    this.#disturbed.delete(host.id)
  }
}

/** What systemd needs between the end of a unit and its next start. */
const RESTARTED_MS = 400
