/**
 * uvu's `suite` with what it lacks: a deadline and an AbortSignal for every test, requirements
 * that skip (or fail where `SHOAL_REQUIRE` names them), and a record of every result. uvu's own
 * hooks are not offered: a throwing one is swallowed and the run ends green.
 */
import { suite as uvuSuite } from 'uvu'
import { missing, type Requirement } from './require.ts'

export interface TestContext {
  /** Aborts at the deadline and after the test. */
  readonly signal: AbortSignal
  /** Runs after the test, last registered first, also when it fails. */
  cleanup(task: () => unknown): void
}

export type TestHandler = (context: TestContext) => unknown

export interface TestOptions {
  readonly timeoutMs?: number
  readonly requires?: readonly Requirement[]
}

export interface TestResult {
  readonly suite: string
  readonly name: string
  readonly outcome: 'passed' | 'failed' | 'skipped'
  readonly durationMs: number
  readonly detail?: string
}

export interface Suite {
  (name: string, handler: TestHandler): void
  (name: string, options: TestOptions, handler: TestHandler): void
  run(): void
}

const DEFAULT_TIMEOUT_MS = 10_000
const CLEANUP_TIMEOUT_MS = 20_000

const store = globalThis as unknown as { shoalTestResults?: TestResult[] }
store.shoalTestResults ??= []

/** Every result so far, in order. The runner reads it at the end. */
export function results(): readonly TestResult[] {
  return store.shoalTestResults ?? []
}

async function withDeadline(timeoutMs: number, what: string, work: () => unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what} passed its deadline of ${timeoutMs} ms`)),
      timeoutMs
    )
  })
  try {
    await Promise.race([(async () => await work())(), deadline])
  } finally {
    clearTimeout(timer)
  }
}

async function runTest(timeoutMs: number, handler: TestHandler): Promise<void> {
  const controller = new AbortController()
  const tasks: (() => unknown)[] = []
  const failures: unknown[] = []
  try {
    await withDeadline(timeoutMs, 'test', () =>
      handler({ signal: controller.signal, cleanup: task => void tasks.push(task) })
    )
  } catch (error) {
    failures.push(error)
  }
  controller.abort()
  for (const task of tasks.reverse()) {
    try {
      await withDeadline(CLEANUP_TIMEOUT_MS, 'clean-up', task)
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

/** Opens a suite. Requirements given here hold for each of its tests. */
export function suite(name: string, defaults: TestOptions = {}): Suite {
  const inner = uvuSuite(name)
  const record = (result: TestResult): void => void store.shoalTestResults?.push(result)

  const add = (title: string, options: TestOptions, handler: TestHandler): void => {
    const timeoutMs = options.timeoutMs ?? defaults.timeoutMs ?? DEFAULT_TIMEOUT_MS
    const requires = [...(defaults.requires ?? []), ...(options.requires ?? [])]
    inner(title, async () => {
      const lack = missing(requires)
      if (lack.skip !== undefined) {
        process.stdout.write(`\n  skipped: ${name}: ${title}: ${lack.skip}\n`)
        record({ suite: name, name: title, outcome: 'skipped', durationMs: 0, detail: lack.skip })
        return
      }
      const startMs = performance.now()
      try {
        if (lack.fail !== undefined) throw new Error(lack.fail)
        await runTest(timeoutMs, handler)
        record({
          suite: name,
          name: title,
          outcome: 'passed',
          durationMs: performance.now() - startMs
        })
      } catch (error) {
        const detail = error instanceof Error ? error.message : String(error)
        record({
          suite: name,
          name: title,
          outcome: 'failed',
          durationMs: performance.now() - startMs,
          detail
        })
        // uvu breaks on anything else that is thrown, and would end green
        throw error instanceof Error ? error : new Error(detail)
      }
    })
  }

  const test = (title: string, second: TestOptions | TestHandler, third?: TestHandler): void => {
    if (typeof second === 'function') add(title, {}, second)
    else if (third !== undefined) add(title, second, third)
    else throw new TypeError(`test "${title}" has no handler`)
  }
  return Object.assign(test, { run: () => inner.run() })
}
