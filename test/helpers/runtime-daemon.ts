/**
 * A daemon of its own for tests that kill one: starts one process by the process runtime, says what
 * it started, and stays.
 */
import { ProcessRuntime } from '../../node/runtime/process.ts'

const { owner, dataDir, spec, mark } = JSON.parse(process.argv[2] ?? '{}')
const signal = new AbortController().signal
const runtime = new ProcessRuntime({ log: () => undefined }, { ...owner, dataDir })
await runtime.open(signal)
const instance = await runtime.start(spec, mark, signal)
process.stdout.write(JSON.stringify(instance))
setInterval(() => undefined, 60_000)
