/**
 * What the services of one project share on this node: a bridge network, on which they reach each
 * other by name, and named volumes. Both carry our labels; what does not is never used or removed.
 */
import type { VolumeSpec, WorkloadSpec } from '../../../src/spec/workload.ts'
import {
  filterOf,
  isOurs,
  LABEL,
  type Labels,
  networkNames,
  type Owner,
  ownerLabels,
  volumeName
} from '../labels.ts'
import { RuntimeFailure } from '../runtime.ts'
import { type Engine, statusOf } from './engine.ts'

interface NetworkAnswer {
  readonly Id: string
  readonly Name: string
  readonly Labels?: Labels | null
}

async function ownNetworks(
  engine: Engine,
  owner: Owner,
  signal: AbortSignal
): Promise<readonly NetworkAnswer[]> {
  const filters = JSON.stringify({ label: filterOf(ownerLabels(owner)) })
  const networks = (await engine.call('list networks', signal, (docker, abortSignal) =>
    docker.listNetworks({ filters, abortSignal })
  )) as unknown as readonly NetworkAnswer[]
  // An engine's filter is not trusted with what may be removed.
  return networks.filter(network => isOurs(network.Labels, owner))
}

/** The project's network by name, created when missing. */
export async function ensureNetwork(
  engine: Engine,
  owner: Owner,
  project: string,
  signal: AbortSignal
): Promise<string> {
  const find = async (): Promise<string | undefined> =>
    (await ownNetworks(engine, owner, signal)).find(
      network => network.Labels?.[LABEL.project] === project
    )?.Name
  const existing = await find()
  if (existing !== undefined) return existing
  const labels = { ...ownerLabels(owner), [LABEL.project]: project }
  let taken: unknown
  for (const name of networkNames(project, owner)) {
    try {
      await engine.call(
        'create network',
        signal,
        (docker, abortSignal) =>
          docker.createNetwork({
            Name: name,
            Driver: 'bridge',
            CheckDuplicate: true,
            Labels: labels,
            abortSignal
          }),
        engine.timeouts.createMs
      )
      return name
    } catch (error) {
      if (statusOf(error) !== 409) throw error
      taken = error
      // A create whose reply was lost made it after all.
      const late = await find()
      if (late !== undefined) return late
    }
  }
  throw taken
}

/** Projects that have a network of ours here. */
export async function networkProjects(
  engine: Engine,
  owner: Owner,
  signal: AbortSignal
): Promise<readonly string[]> {
  const networks = await ownNetworks(engine, owner, signal)
  const projects = networks.flatMap(network => network.Labels?.[LABEL.project] ?? [])
  return [...new Set(projects)].sort()
}

/** Removes our network of a project. One that somebody else's container hangs on stays. */
export async function removeNetworks(
  engine: Engine,
  owner: Owner,
  project: string,
  signal: AbortSignal
): Promise<void> {
  for (const network of await ownNetworks(engine, owner, signal)) {
    if (network.Labels?.[LABEL.project] !== project) continue
    try {
      await engine.call('remove network', signal, (docker, abortSignal) =>
        docker.getNetwork(network.Id).remove({ abortSignal })
      )
    } catch (error) {
      // 403 and 409: in use. 404: already gone.
      if (![403, 404, 409].includes(statusOf(error) ?? 0)) throw error
    }
  }
}

type NamedVolume = Extract<VolumeSpec, { kind: 'volume' }>

/** Creates what is missing; refuses a volume of that name which is not ours. */
export async function ensureVolumes(
  engine: Engine,
  owner: Owner,
  spec: WorkloadSpec,
  signal: AbortSignal
): Promise<void> {
  for (const volume of spec.volumes) {
    if (volume.kind === 'volume') await ensureVolume(engine, owner, spec.project, volume, signal)
  }
}

async function ensureVolume(
  engine: Engine,
  owner: Owner,
  project: string,
  volume: NamedVolume,
  signal: AbortSignal
): Promise<void> {
  refuseHiddenBind(volume)
  const name = volumeName(project, volume.name)
  const labels = {
    ...ownerLabels(owner),
    [LABEL.project]: project,
    [LABEL.volume]: volume.name
  }
  // Creating one that exists leaves it as it is.
  await engine.call(
    'create volume',
    signal,
    (docker, abortSignal) =>
      docker.createVolume({
        Name: name,
        Driver: volume.driver ?? 'local',
        DriverOpts: { ...volume.driverOptions },
        Labels: labels,
        abortSignal
      }),
    engine.timeouts.createMs
  )
  const answer: { readonly Labels?: Labels | null } = await engine.call(
    'inspect volume',
    signal,
    (docker, abortSignal) => docker.getVolume(name).inspect({ abortSignal })
  )
  if (!isOurs(answer.Labels, owner))
    throw new RuntimeFailure(
      'permanent',
      `volume ${name} exists and is not of this node and mesh; rename it or the volume in the file`
    )
}

/** A local volume with `o: bind` is a bind in disguise: unseen by pins and path checks. */
function refuseHiddenBind(volume: NamedVolume): void {
  if ((volume.driver ?? 'local') !== 'local') return
  const { type, o } = volume.driverOptions ?? {}
  const hidden = type === 'none' || /(^|,)r?bind(,|$)/.test(o ?? '')
  if (hidden)
    throw new RuntimeFailure(
      'permanent',
      `volume ${volume.name}: driver options that bind a host path are refused; use a bind`
    )
}

/** Our volumes, by their name in the spec. */
export async function ownVolumes(
  engine: Engine,
  owner: Owner,
  signal: AbortSignal
): Promise<readonly { readonly name: string; readonly project: string }[]> {
  const filters = JSON.stringify({ label: filterOf(ownerLabels(owner)) })
  const answer: { Volumes?: readonly { Labels?: Labels | null }[] | null } = await engine.call(
    'list volumes',
    signal,
    (docker, abortSignal) => docker.listVolumes({ filters, abortSignal })
  )
  const found: { name: string; project: string }[] = []
  for (const { Labels: labels } of answer.Volumes ?? []) {
    const name = labels?.[LABEL.volume]
    const project = labels?.[LABEL.project]
    if (isOurs(labels, owner) && name !== undefined && project !== undefined)
      found.push({ name, project })
  }
  const key = (volume: { name: string; project: string }): string =>
    `${volume.project}\0${volume.name}`
  return found.sort((a, b) => (key(a) < key(b) ? -1 : 1))
}
