/** Drives the built `shoal` by the contract that is fixed for others: flags and JSON outputs. */
import { join } from 'node:path'
import type { AllocationView, NodeView, StatusView } from '../../src/api/types.ts'
import { ROOT } from './source.ts'
import { monotonicMs, must, type Ran, type RunOptions, run, until } from './testbed-run.ts'

/** `SHOAL_BIN`: `dist` (what tsc built, the default), `bundle`, or the path of another program. */
export function shoalProgram(): string[] {
  const wanted = process.env['SHOAL_BIN'] ?? 'dist'
  if (wanted === 'dist') return [process.execPath, join(ROOT, 'dist/src/cli/main.js')]
  if (wanted === 'bundle') return [process.execPath, join(ROOT, 'dist/bundle/shoal.js')]
  return [process.execPath, wanted]
}

export const RUNNING = new Set(['running', 'healthy'])

/** One daemon, reached over its socket by the command line. */
export class ShoalClient {
  readonly name: string
  readonly socket: string
  /** What goes before the command, to run it inside a host. */
  readonly prefix: readonly string[]

  constructor(name: string, socket: string, prefix: readonly string[] = []) {
    this.name = name
    this.socket = socket
    this.prefix = prefix
  }

  #options(options: RunOptions): RunOptions {
    return { ...options, env: { NO_COLOR: '1', ...options.env, SHOAL_SOCKET: this.socket } }
  }

  /** Runs `shoal ...`; never throws for an exit code. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return run([...this.prefix, ...shoalProgram(), ...args], this.#options(options))
  }

  /** Runs `shoal ...`, throws unless it exits 0, returns its standard output. */
  must(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return must([...this.prefix, ...shoalProgram(), ...args], this.#options(options))
  }

  async json<T>(args: readonly string[]): Promise<T> {
    return JSON.parse(await this.must([...args, '-o', 'json'])) as T
  }

  nodes(): Promise<readonly NodeView[]> {
    return this.json(['nodes'])
  }

  ps(): Promise<readonly AllocationView[]> {
    return this.json(['ps'])
  }

  status(): Promise<StatusView> {
    return this.json(['status'])
  }

  /** Waits until this daemon sees exactly these names alive. Returns the milliseconds it took. */
  async sees(names: readonly string[], timeoutMs = 10_000): Promise<number> {
    const startMs = monotonicMs()
    const wanted = [...names].sort().join(' ')
    let seen = ''
    await until(
      `${this.name} sees ${wanted}`,
      async () => {
        const nodes = await this.nodes()
        seen = nodes.map(node => `${node.name}:${node.state}`).join(' ')
        const alive = nodes.filter(node => node.state === 'alive').map(node => node.name)
        return alive.sort().join(' ') === wanted ? true : undefined
      },
      { timeoutMs, intervalMs: 200 },
      () => `; it sees ${seen}`
    )
    return monotonicMs() - startMs
  }

  /** Waits until `ps` says that this many replicas of a workload run; claims may be more. */
  async runs(
    project: string,
    workload: string,
    count: number,
    timeoutMs = 15_000
  ): Promise<readonly AllocationView[]> {
    let seen = ''
    return await until(
      `${this.name} says ${count} replicas of ${project}/${workload} run`,
      async () => {
        const rows = (await this.ps()).filter(
          row => row.project === project && row.workload === workload
        )
        seen = rows.map(row => `${row.slot}@${row.node}:${row.state}`).join(' ')
        const running = rows.filter(row => RUNNING.has(row.state))
        return running.length === count ? running : undefined
      },
      { timeoutMs, intervalMs: 200 },
      () => `; it says ${seen}`
    )
  }

  /** Waits for `status` to call the mesh converged. */
  async converges(timeoutMs = 15_000): Promise<StatusView> {
    return await until(
      `${this.name} is converged`,
      async () => {
        const status = await this.status()
        return status.converged ? status : undefined
      },
      { timeoutMs, intervalMs: 250 }
    )
  }
}
