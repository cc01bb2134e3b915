/**
 * What the runtime tests share: specs, marks, waiting, and one harness a runtime.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../node/clock.ts'
import { DockerRuntime } from '../../node/runtime/docker.ts'
import type { Owner } from '../../node/runtime/labels.ts'
import { type MemoryBehaviour, MemoryEngine, MemoryRuntime } from '../../node/runtime/memory.ts'
import { ProcessRuntime } from '../../node/runtime/process.ts'
import type { Instance, InstanceMark, LogLine, Runtime } from '../../node/runtime/runtime.ts'
import { pause } from '../../node/runtime/wait.ts'
import type { RuntimeName, WorkloadSpec } from '../../src/spec/workload.ts'
import { startEngine, TEST_IMAGE, type TestEngine } from './docker-engine.ts'
import { FakeDocker } from './fake-docker.ts'
import type { Requirement } from './require.ts'
import type { TestContext } from './suite.ts'
import { spec } from './workload.ts'

export const OWNER: Owner = { mesh: 'mesh-a', node: 'node-a' }

let sequence = 0

/** A mark of a workload that no other test has. */
export function newMark(overrides: Partial<InstanceMark> = {}): InstanceMark {
  sequence += 1
  return {
    mesh: OWNER.mesh,
    uid: `${sequence.toString(16).padStart(8, '0')}00000000`,
    slot: 0,
    generation: 'a.1',
    project: 'test',
    workload: 'web',
    claim: `claim-${sequence}`,
    ...overrides
  }
}

export function newSpec(runtime: RuntimeName, overrides: Partial<WorkloadSpec>): WorkloadSpec {
  return spec({ project: 'test', runtime, ...overrides })
}

const POLL_MS = 10

/** Asks until the answer is not undefined or false; the test's deadline ends it. */
export async function until<T>(
  signal: AbortSignal,
  ask: () => Promise<T | undefined | false> | T | undefined | false
): Promise<T> {
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    signal.throwIfAborted()
    await pause(POLL_MS, signal)
  }
}

/** The instance with this id, once it is as wanted. */
export function untilInstance(
  runtime: Runtime,
  id: string,
  signal: AbortSignal,
  wanted: (instance: Instance) => boolean
): Promise<Instance> {
  return until(signal, async () => {
    const instance = (await runtime.list(signal)).find(one => one.id === id)
    return instance !== undefined && wanted(instance) ? instance : undefined
  })
}

export async function collect(lines: AsyncIterable<LogLine>): Promise<LogLine[]> {
  const all: LogLine[] = []
  for await (const line of lines) all.push(line)
  return all
}

export async function rejection(work: Promise<unknown>): Promise<Error & { kind?: string }> {
  try {
    await work
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not fail')
}

/** What a workload of a test does; words that begin with `err` go to standard error. */
export type Program =
  | { readonly kind: 'wait' | 'stubborn' }
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'print'; readonly words: readonly string[] }

export interface Host {
  /** A new runtime object on the same host: what a restarted daemon has. */
  runtime(owner?: Partial<Owner>): Promise<Runtime>
  spec(program: Program, overrides?: Partial<WorkloadSpec>): WorkloadSpec
  readonly existingPath: string
  readonly missingPath: string
}

export interface Harness {
  readonly name: string
  readonly requires: readonly Requirement[]
  /** False when programs and checks are only played. */
  readonly isReal: boolean
  open(context: TestContext): Promise<Host>
}

export function temporary(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'shoal-runtime-'))
  context.cleanup(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }))
  return directory
}

/** `sh -c` for a program: what the process and the docker runtime run. */
export function shellCommand(program: Program): readonly string[] {
  switch (program.kind) {
    case 'wait':
      return ['sh', '-c', 'echo begun; exec sleep 600']
    case 'stubborn':
      return ['sh', '-c', "trap '' TERM; echo begun; while :; do sleep 1; done"]
    case 'exit':
      return ['sh', '-c', `exit ${program.code}`]
    case 'print': {
      const echo = (word: string): string => `echo ${word}${word.startsWith('err') ? ' >&2' : ''}`
      return ['sh', '-c', [...program.words.map(echo), 'exec sleep 600'].join('; sleep 0.03; ')]
    }
    default: {
      const unknown: never = program
      throw new Error(String(unknown))
    }
  }
}

function playedCommand(program: Program): readonly string[] {
  switch (program.kind) {
    case 'exit':
      return ['exit', String(program.code)]
    case 'print':
      return ['print', ...program.words]
    default:
      return [program.kind]
  }
}

const memoryHarness: Harness = {
  name: 'memory',
  requires: [],
  isReal: false,
  open: async context => {
    const directory = temporary(context)
    const missingPath = join(directory, 'missing')
    const behave = ({ command = [] }: WorkloadSpec): MemoryBehaviour => {
      const [program, ...words] = command
      const output = words.map(line => ({
        stream: line.startsWith('err') ? ('stderr' as const) : ('stdout' as const),
        line
      }))
      if (program === 'exit') return { exit: { afterMs: 1, code: Number(words[0]) } }
      return { ignoresSignal: program === 'stubborn', ...(program === 'print' ? { output } : {}) }
    }
    const engine = new MemoryEngine(
      { clock: systemClock },
      { behave, exists: path => path !== missingPath }
    )
    return {
      existingPath: directory,
      missingPath,
      runtime: async owner => new MemoryRuntime({ engine }, { ...OWNER, ...owner }),
      spec: (program, overrides) =>
        newSpec('memory', { command: playedCommand(program), ...overrides })
    }
  }
}

function processHarness(name: string, shell: readonly string[]): Harness {
  return {
    name,
    requires: shell[0] === 'busybox' ? ['linux', 'docker'] : ['linux'],
    isReal: true,
    open: async context => {
      const directory = temporary(context)
      const dataDir = join(directory, 'data')
      context.cleanup(() => endProcesses(dataDir))
      return {
        existingPath: directory,
        missingPath: join(directory, 'missing'),
        runtime: async owner => {
          const init = { ...OWNER, ...owner, dataDir, shell }
          const runtime = new ProcessRuntime({ log: () => undefined }, init)
          await runtime.open(context.signal)
          context.cleanup(() => runtime.close())
          return runtime
        },
        spec: (program, overrides) =>
          newSpec('process', { command: shellCommand(program), ...overrides })
      }
    }
  }
}

/** Stops whatever the records of a test's own data directory name. */
export async function endProcesses(dataDir: string): Promise<void> {
  const signal = AbortSignal.timeout(10_000)
  for (const mesh of [OWNER.mesh, 'mesh-b']) {
    for (const node of [OWNER.node, 'node-b']) {
      const init = { mesh, node, dataDir }
      const runtime = new ProcessRuntime({ log: () => undefined }, init)
      await runtime.open(signal)
      for (const { id } of await runtime.list(signal))
        await runtime.stop(id, { graceMs: 0, signal: 'SIGKILL' }, signal)
      await runtime.close()
    }
  }
}

export async function openFake(
  context: TestContext,
  init: Partial<ConstructorParameters<typeof FakeDocker>[0]> = {}
): Promise<FakeDocker> {
  const fake = new FakeDocker({ socket: join(temporary(context), 'fake.sock'), ...init })
  await fake.up()
  context.cleanup(() => fake.down())
  return fake
}

const fakeHarness: Harness = {
  name: 'docker (fake API)',
  requires: [],
  isReal: false,
  open: async context => {
    const directory = temporary(context)
    const fake = await openFake(context, { paths: [directory] })
    return dockerHost(fake.host, directory, context, playedCommand)
  }
}

let shared: Promise<TestEngine> | undefined

/** One real engine for all tests of a run; `endSharedEngine` ends it. */
export function sharedEngine(): Promise<TestEngine> {
  shared ??= startEngine()
  return shared
}

export async function endSharedEngine(): Promise<void> {
  const engine = shared
  shared = undefined
  await (await engine)?.stop()
}

const dockerHarness: Harness = {
  name: 'docker (real engine)',
  requires: ['docker'],
  isReal: true,
  open: async context => {
    const engine = await sharedEngine()
    const directory = temporary(context)
    writeFileSync(join(directory, 'file'), 'seen\n')
    context.cleanup(() => endContainers(engine.host))
    return dockerHost(engine.host, directory, context, shellCommand)
  }
}

async function endContainers(host: string): Promise<void> {
  const signal = AbortSignal.timeout(15_000)
  for (const mesh of [OWNER.mesh, 'mesh-b']) {
    for (const node of [OWNER.node, 'node-b']) {
      const runtime = new DockerRuntime({ mesh, node, dockerHost: host, env: {} })
      const all = await runtime.list(signal)
      const kill = { graceMs: 0, signal: 'SIGKILL' }
      await Promise.all(all.map(({ id }) => runtime.stop(id, kill, signal)))
      await runtime.sweep(signal)
    }
  }
}

function dockerHost(
  dockerHostName: string,
  directory: string,
  context: TestContext,
  command: (program: Program) => readonly string[]
): Host {
  return {
    existingPath: directory,
    missingPath: join(directory, 'missing'),
    runtime: async owner => {
      const init = { ...OWNER, ...owner, dockerHost: dockerHostName, env: {} }
      const runtime = new DockerRuntime(init)
      await runtime.open(context.signal)
      context.cleanup(() => runtime.close())
      return runtime
    },
    spec: (program, overrides) =>
      newSpec('docker', { image: TEST_IMAGE, command: command(program), ...overrides })
  }
}

export const HARNESSES: readonly Harness[] = [
  memoryHarness,
  processHarness('process (sh)', ['/bin/sh']),
  processHarness('process (busybox sh)', ['busybox', 'sh']),
  fakeHarness,
  dockerHarness
]
