/**
 * A workload spec as the body of an engine's create call. Pure; the table is in `../README.md`.
 */
import type { ContainerCreateOptions, HealthConfig, HostConfig, MountSettings } from 'dockerode'
import type { HealthCheck, PortSpec, VolumeSpec, WorkloadSpec } from '../../../src/spec/workload.ts'
import { containerName, instanceLabels, markEnv, type Owner, volumeName } from '../labels.ts'
import { type InstanceMark, RuntimeFailure } from '../runtime.ts'

export const LOG_BYTES_MAX = '10m'
export const LOG_FILES_MAX = '3'

const MIB = 1024 * 1024
/** Engines refuse a smaller reservation; it is only a hint to the kernel. */
const RESERVATION_MIB_MIN = 6
const NANO_CPUS_PER_MILLI = 1_000_000
const NANOS_PER_MS = 1_000_000

export interface BodyInput {
  readonly spec: WorkloadSpec
  readonly mark: InstanceMark
  readonly owner: Owner
  /** The project's network, by name. */
  readonly network: string
}

/** Throws a permanent `RuntimeFailure` when the spec cannot be run by an engine at all. */
export function createBody(input: BodyInput): ContainerCreateOptions & { readonly name: string } {
  const { spec, mark, owner, network } = input
  if (spec.image === undefined)
    throw new RuntimeFailure('permanent', `${spec.project}/${spec.name} has no image`)
  const env = { ...spec.env, ...markEnv(mark, owner) }
  return {
    name: containerName(mark, owner),
    Image: spec.image,
    ...(spec.entrypoint === undefined ? {} : { Entrypoint: [...spec.entrypoint] }),
    ...(spec.command === undefined ? {} : { Cmd: [...spec.command] }),
    Env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
    Labels: { ...instanceLabels(mark, owner, spec.labels) },
    ...(spec.workingDir === undefined ? {} : { WorkingDir: spec.workingDir }),
    ...(spec.user === undefined ? {} : { User: spec.user }),
    ...healthOf(spec),
    StopSignal: spec.stopSignal,
    StopTimeout: Math.ceil(spec.stopGraceMs / 1_000),
    ExposedPorts: Object.fromEntries(spec.ports.map(port => [portKey(port), {}])),
    HostConfig: hostConfig(spec, network),
    NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [spec.name] } } }
  }
}

function portKey(port: PortSpec): string {
  return `${port.containerPort}/${port.protocol}`
}

function hostConfig(spec: WorkloadSpec, network: string): HostConfig {
  const { resources } = spec
  return {
    NetworkMode: network,
    // Restarts are the caller's: an engine that restarts by itself would bring back, after a
    // reboot, what has long been running elsewhere.
    RestartPolicy: { Name: 'no' },
    Init: spec.init,
    Mounts: spec.volumes.map(volume => mount(spec.project, volume)),
    PortBindings: portBindings(spec.ports),
    LogConfig: {
      Type: 'json-file',
      Config: { 'max-size': LOG_BYTES_MAX, 'max-file': LOG_FILES_MAX }
    },
    ...(resources.memoryLimitMiB > 0 ? { Memory: resources.memoryLimitMiB * MIB } : {}),
    ...(resources.memoryMiB >= RESERVATION_MIB_MIN
      ? { MemoryReservation: resources.memoryMiB * MIB }
      : {}),
    ...(resources.cpuLimitMillis > 0
      ? { NanoCpus: resources.cpuLimitMillis * NANO_CPUS_PER_MILLI }
      : {})
  }
}

function portBindings(ports: readonly PortSpec[]): NonNullable<HostConfig['PortBindings']> {
  const bindings: Record<string, { HostIp?: string; HostPort: string }[]> = {}
  for (const port of ports) {
    if (port.hostPort === undefined) continue
    const key = portKey(port)
    bindings[key] ??= []
    bindings[key].push({
      ...(port.hostIp === undefined ? {} : { HostIp: port.hostIp }),
      HostPort: String(port.hostPort)
    })
  }
  return bindings
}

/** `Mounts`, never `Binds`: an engine creates a missing source of `Binds` as an empty folder. */
function mount(project: string, volume: VolumeSpec): MountSettings {
  switch (volume.kind) {
    case 'volume':
      return {
        Type: 'volume',
        Source: volumeName(project, volume.name),
        Target: volume.target,
        ReadOnly: volume.readOnly
      }
    case 'bind':
      return {
        Type: 'bind',
        Source: volume.source,
        Target: volume.target,
        ReadOnly: volume.readOnly
      }
    case 'tmpfs':
      return {
        Type: 'tmpfs',
        Source: '',
        Target: volume.target,
        ...(volume.sizeBytes === undefined
          ? {}
          : { TmpfsOptions: { SizeBytes: volume.sizeBytes } as never })
      }
    default: {
      const unknown: never = volume
      throw new RuntimeFailure('permanent', `unknown volume ${JSON.stringify(unknown)}`)
    }
  }
}

/** Docker: `NONE` turns the image's own check off. */
function healthOf(spec: WorkloadSpec): { Healthcheck?: HealthConfig } {
  if (spec.healthDisabled === true) return { Healthcheck: { Test: ['NONE'] } }
  return spec.health === undefined ? {} : { Healthcheck: healthConfig(spec.health) }
}

function healthConfig(health: HealthCheck): HealthConfig {
  return {
    Test: ['CMD', ...health.command],
    Interval: health.intervalMs * NANOS_PER_MS,
    Timeout: health.timeoutMs * NANOS_PER_MS,
    StartPeriod: health.startPeriodMs * NANOS_PER_MS,
    Retries: health.retries
  }
}
