/**
 * What keeps the daemon's own files out of its children. LevelDB opens its log, its manifest and
 * its tables without O_CLOEXEC and Node cannot set the flag afterwards, so every child is born with
 * them, writable whatever user it becomes. A shell closes them and becomes the program. Not every
 * shell can: dash knows descriptors of one digit only.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { baseEnv } from './prepare.ts'

const CLOSE = `for fd in /proc/self/fd/*; do
  fd=\${fd##*/}
  [ "$fd" -lt 3 ] || eval "exec $fd>&-"
done
exec "$@"`

/** Asks a shell whether it takes 25 for a descriptor; dash takes it for a command. */
const PROBE = 'exec 25</dev/null'
const PROBE_TIMEOUT_MS = 10_000

/**
 * The words to put before a command so that it has descriptors 0 to 2 and no other. `shell` is
 * taken when it can do it, else busybox or bash. Throws when none can.
 */
export async function findCloser(
  shell: readonly string[],
  signal: AbortSignal
): Promise<readonly string[]> {
  for (const words of [shell, ['busybox', 'sh'], ['bash']]) {
    if (await takesLongNumbers(words, signal)) return [...words, '-c', CLOSE, 'shoal']
  }
  throw new Error(`${shell.join(' ')} cannot close descriptors above 9: install bash or busybox`)
}

async function takesLongNumbers(words: readonly string[], signal: AbortSignal): Promise<boolean> {
  signal.throwIfAborted()
  const [program = '', ...first] = words
  const child = spawn(program, [...first, '-c', PROBE], {
    env: baseEnv(),
    stdio: 'ignore',
    timeout: PROBE_TIMEOUT_MS,
    killSignal: 'SIGKILL'
  })
  try {
    const [code] = await once(child, 'close', { signal })
    return code === 0
  } catch {
    signal.throwIfAborted()
    return false
  }
}
