/**
 * Containers on a real engine, through dockerode. What is ours carries our labels and a name that
 * follows from its mark; nothing else is ever read into the list, stopped or removed (S8). The name
 * is the mutex of S7: a second create is refused by the engine itself, in any order of crashes.
 */
import type { ContainerInspectInfo, ContainerInspectOptions } from 'dockerode'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import type { AddressInput } from './docker/address.ts'
import { createBody } from './docker/body.ts'
import { instanceOf, RunClock } from './docker/container.ts'
import { Engine, type EngineTimeouts, statusOf } from './docker/engine.ts'
import { ensureImage } from './docker/image.ts'
import { readLogs } from './docker/logs.ts'
import {
  ensureNetwork,
  ensureVolumes,
  networkProjects,
  ownVolumes,
  removeNetworks
} from './docker/project.ts'
import { startContainer } from './docker/start.ts'
import { removeContainer, stopContainer } from './docker/stop.ts'
import { watchEvents } from './docker/watch.ts'
import { containerName, filterOf, LABEL, type Owner, ownerLabels } from './labels.ts'
import {
  type Instance,
  type InstanceMark,
  type LogLine,
  type LogOptions,
  type Runtime,
  RuntimeFailure,
  type RuntimeStatus
} from './runtime.ts'
import { KeyedLock, mapLimited, onAbort } from './wait.ts'

const INSPECT_PARALLEL_MAX = 8
/** An adoption, a removal of what is in the way, one more try. */
const CREATE_ATTEMPTS_MAX = 3

export interface DockerRuntimeInit extends Owner, AddressInput {
  readonly timeouts?: Partial<EngineTimeouts>
}

export class DockerRuntime implements Runtime {
  readonly name = 'docker'
  readonly #engine: Engine
  readonly #owner: Owner
  readonly #clock = new RunClock()
  readonly #slots = new KeyedLock()
  readonly #projects = new KeyedLock()

  constructor(init: DockerRuntimeInit) {
    this.#owner = { mesh: init.mesh, node: init.node }
    this.#engine = new Engine({ dockerHost: init.dockerHost, env: init.env }, init.timeouts)
  }

  async open(signal: AbortSignal): Promise<void> {
    await this.status(signal)
  }

  async close(): Promise<void> {
    this.#engine.forget()
  }

  async status(signal: AbortSignal): Promise<RuntimeStatus> {
    try {
      return { available: true, detail: await this.#engine.check(signal) }
    } catch (error) {
      return { available: false, detail: error instanceof Error ? error.message : String(error) }
    }
  }

  async list(signal: AbortSignal): Promise<readonly Instance[]> {
    return this.#find({}, signal)
  }

  async #find(labels: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Instance[]> {
    const label = filterOf({ ...ownerLabels(this.#owner), ...labels })
    const filters = JSON.stringify({ label })
    const found = await this.#engine.call('list containers', signal, (docker, abortSignal) =>
      docker.listContainers({ all: true, filters, abortSignal } as object)
    )
    const infos = await mapLimited(found, INSPECT_PARALLEL_MAX, entry =>
      this.#tryInspect(entry.Id, signal)
    )
    return infos.flatMap(info => {
      const instance = info === undefined ? undefined : instanceOf(info, this.#owner, this.#clock)
      return instance === undefined ? [] : [instance]
    })
  }

  /** Undefined when there is no such container. */
  async #tryInspect(
    idOrName: string,
    signal: AbortSignal
  ): Promise<ContainerInspectInfo | undefined> {
    try {
      return await this.#engine.call('inspect', signal, (docker, abortSignal) =>
        docker.getContainer(idOrName).inspect({ abortSignal } as ContainerInspectOptions)
      )
    } catch (error) {
      if (statusOf(error) === 404) return undefined
      throw error
    }
  }

  /** Undefined when it is gone. Throws when it is there and not ours. */
  async #own(
    id: string,
    signal: AbortSignal
  ): Promise<{ readonly info: ContainerInspectInfo; readonly instance: Instance } | undefined> {
    const info = await this.#tryInspect(id, signal)
    if (info === undefined) return undefined
    const instance = instanceOf(info, this.#owner, this.#clock)
    if (instance === undefined)
      throw new RuntimeFailure('permanent', `container ${id} is not of this node and mesh`)
    return { info, instance }
  }

  watch(changed: () => void, signal: AbortSignal): Promise<void> {
    return watchEvents(this.#engine, this.#owner, changed, signal)
  }

  start(spec: WorkloadSpec, mark: InstanceMark, signal: AbortSignal): Promise<Instance> {
    return this.#slots.run(`${mark.uid}/${mark.slot}`, signal, () =>
      this.#start(spec, mark, signal)
    )
  }

  async #start(spec: WorkloadSpec, mark: InstanceMark, signal: AbortSignal): Promise<Instance> {
    for (let attempt = 1; ; attempt++) {
      const adopted = await this.#adopt(mark, signal)
      if (adopted !== undefined) return adopted
      try {
        const id = await this.#create(spec, mark, signal)
        return await this.#run(id, signal)
      } catch (error) {
        // The name is taken: by an earlier create of ours whose reply was lost, or by a stranger.
        if (statusOf(error) !== 409 || attempt >= CREATE_ATTEMPTS_MAX) throw error
        await this.#refuseStranger(containerName(mark, this.#owner), signal)
      }
    }
  }

  /** What is here for this slot: taken over, removed when it has ended, or undefined. */
  async #adopt(mark: InstanceMark, signal: AbortSignal): Promise<Instance | undefined> {
    const labels = { [LABEL.uid]: mark.uid, [LABEL.slot]: String(mark.slot) }
    const here = await this.#find(labels, signal)
    const same = here.filter(instance => instance.mark.generation === mark.generation)
    const best = same.find(instance => instance.state === 'running') ?? same[0]
    if (best !== undefined) {
      // Created and never started: the daemon died in between.
      return best.state === 'created' ? this.#run(best.id, signal) : best
    }
    for (const other of here) {
      if (other.state === 'running')
        throw new RuntimeFailure(
          'transient',
          `slot ${mark.slot} of ${mark.project}/${mark.workload} still runs generation ` +
            `${other.mark.generation}; stop it first`
        )
      await removeContainer(this.#engine, other.id, signal)
    }
    return undefined
  }

  async #create(spec: WorkloadSpec, mark: InstanceMark, signal: AbortSignal): Promise<string> {
    // Checked before anything is made.
    createBody({ spec, mark, owner: this.#owner, network: 'none' })
    await ensureImage(this.#engine, spec.image ?? '', signal)
    await ensureVolumes(this.#engine, this.#owner, spec, signal)
    // Held until the container exists, or `sweep` would take the empty network away.
    return this.#projects.run(spec.project, signal, async () => {
      const network = await ensureNetwork(this.#engine, this.#owner, spec.project, signal)
      const body = createBody({ spec, mark, owner: this.#owner, network })
      const container = await this.#engine.call(
        `create ${body.name}`,
        signal,
        (docker, abortSignal) => docker.createContainer({ ...body, abortSignal }),
        this.#engine.timeouts.createMs
      )
      return container.id
    })
  }

  async #run(id: string, signal: AbortSignal): Promise<Instance> {
    await startContainer(this.#engine, id, signal)
    const own = await this.#own(id, signal)
    if (own !== undefined) return own.instance
    throw new RuntimeFailure('transient', `container ${id} was removed while it started`)
  }

  async #refuseStranger(name: string, signal: AbortSignal): Promise<void> {
    const info = await this.#tryInspect(name, signal)
    if (info === undefined || instanceOf(info, this.#owner, this.#clock) !== undefined) return
    throw new RuntimeFailure(
      'permanent',
      `the name ${name} is taken by a container that is not of this node and mesh`
    )
  }

  async stop(
    id: string,
    options: { readonly graceMs: number; readonly signal: string },
    signal: AbortSignal
  ): Promise<void> {
    const own = await this.#own(id, signal)
    if (own === undefined) return
    const { mark } = own.instance
    await this.#slots.run(`${mark.uid}/${mark.slot}`, signal, () =>
      stopContainer(this.#engine, own.info, options, signal)
    )
    this.#clock.forget(id)
  }

  async restart(id: string, signal: AbortSignal): Promise<void> {
    const own = await this.#own(id, signal)
    if (own === undefined) throw new RuntimeFailure('transient', `container ${id} is gone`)
    if (own.instance.state === 'running') return
    const { mark } = own.instance
    await this.#slots.run(`${mark.uid}/${mark.slot}`, signal, () =>
      startContainer(this.#engine, id, signal, { keep: true })
    )
  }

  async sweep(signal: AbortSignal): Promise<void> {
    const keep = new Set((await this.list(signal)).map(instance => instance.mark.project))
    for (const project of await networkProjects(this.#engine, this.#owner, signal)) {
      if (keep.has(project)) continue
      await this.#projects.run(project, signal, async () => {
        const still = await this.#find({ [LABEL.project]: project }, signal)
        if (still.length === 0) await removeNetworks(this.#engine, this.#owner, project, signal)
      })
    }
  }

  async *logs(id: string, options: LogOptions, signal: AbortSignal): AsyncGenerator<LogLine> {
    const own = await this.#own(id, signal)
    if (own === undefined) throw new RuntimeFailure('permanent', `container ${id} is gone`)
    const query = {
      follow: options.follow,
      stdout: true,
      stderr: true,
      timestamps: true,
      tail: options.tail === undefined ? 'all' : String(options.tail),
      ...(options.sinceMs === undefined ? {} : { since: (options.sinceMs / 1_000).toFixed(3) })
    }
    const request = { path: `/containers/${id}/logs`, method: 'GET', query } as const
    const ended = new AbortController()
    const end = (): void => ended.abort(signal.reason)
    const release = onAbort(signal, end)
    try {
      const body = await this.#engine.stream('logs', request, ended.signal)
      yield* readLogs(body, own.info.Config.Tty, ended.signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      release()
      ended.abort()
    }
  }

  async inspect(id: string, signal: AbortSignal): Promise<unknown> {
    const own = await this.#own(id, signal)
    if (own === undefined) throw new RuntimeFailure('permanent', `container ${id} is gone`)
    return own.info
  }

  volumes(
    signal: AbortSignal
  ): Promise<readonly { readonly name: string; readonly project: string }[]> {
    return ownVolumes(this.#engine, this.#owner, signal)
  }
}
