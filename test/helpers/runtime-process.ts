/** The process runtime in a test: opened, its records at hand, everything ended afterwards. */
import { join } from 'node:path'
import { ProcessRuntime } from '../../node/runtime/process.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import { collect, endProcesses, newSpec, OWNER, temporary } from './runtime.ts'
import type { TestContext } from './suite.ts'

export const STORED = { follow: false, tail: undefined, sinceMs: undefined }
export const STOP = { graceMs: 1_000, signal: 'SIGTERM' }

export interface Opened {
  readonly runtime: ProcessRuntime
  readonly dataDir: string
  readonly said: string[]
  again(): Promise<ProcessRuntime>
  record(id: string, file: string): string
}

export async function open(
  context: TestContext,
  limits: { readonly logBytesMax?: number } = {}
): Promise<Opened> {
  const dataDir = join(temporary(context), 'data')
  const said: string[] = []
  context.cleanup(() => endProcesses(dataDir))
  const again = async (): Promise<ProcessRuntime> => {
    const components = { log: (message: string) => void said.push(message) }
    const runtime = new ProcessRuntime(components, { ...OWNER, dataDir, ...limits })
    await runtime.open(context.signal)
    context.cleanup(() => runtime.close())
    return runtime
  }
  const record = (id: string, file: string): string =>
    join(dataDir, 'process', id.slice(0, id.lastIndexOf(':')), file)
  return { runtime: await again(), dataDir, said, again, record }
}

export function spec(script: string, overrides: Partial<WorkloadSpec> = {}): WorkloadSpec {
  return newSpec('process', { command: ['sh', '-c', script], ...overrides })
}

export async function lines(
  runtime: ProcessRuntime,
  id: string,
  signal: AbortSignal
): Promise<string[]> {
  return (await collect(runtime.logs(id, STORED, signal))).map(({ line }) => line)
}
