/**
 * A real engine of a test's own, in namespaces of its own: killing one process ends it, its
 * containers and its bridges, whatever the test did. `testbed.md` has the recipe.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pause } from '../../node/runtime/wait.ts'

const UP_TIMEOUT_MS = 20_000
const POLL_MS = 50
const UNSHARE = 'unshare'
const APPLETS = ['sh', 'sleep', 'httpd', 'nc', 'wget', 'cat', 'ls', 'echo', 'hostname', 'date']
const MORE_APPLETS = ['seq', 'env', 'id', 'head', 'tr', 'test', 'touch', 'rm', 'true', 'false']

export const TEST_IMAGE = 'busybox:local'

export interface TestEngine {
  readonly socket: string
  /** `unix://…`, for `--docker-host`. */
  readonly host: string
  /** The engine's log, for a failed test. */
  log(): string
  /** Ends dockerd; containers end with it. */
  down(): Promise<void>
  up(): Promise<void>
  /** SIGSTOP and SIGCONT: an engine that hangs. */
  freeze(): void
  thaw(): void
  /** Ends everything and removes its files. */
  stop(): Promise<void>
}

/** One request over a unix socket; resolves with status and body. */
export function ask(
  socketPath: string,
  method: string,
  path: string,
  body?: Buffer | object
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const raw = Buffer.isBuffer(body)
    const payload = body === undefined || raw ? body : Buffer.from(JSON.stringify(body))
    const type = raw ? 'application/x-tar' : 'application/json'
    const headers = { 'content-type': type, 'content-length': payload?.length ?? 0 }
    const sent = request({ socketPath, method, path, headers }, answer => {
      const chunks: Buffer[] = []
      answer.on('data', chunk => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() })
      )
    })
    sent.on('error', reject)
    sent.end(payload)
  })
}

/** A folder with the static busybox, as a tar file. */
function busyboxTar(directory: string): Buffer {
  const root = join(directory, 'image')
  mkdirSync(join(root, 'bin'), { recursive: true })
  mkdirSync(join(root, 'tmp'))
  cpSync('/bin/busybox', join(root, 'bin/busybox'), { dereference: true })
  for (const applet of [...APPLETS, ...MORE_APPLETS])
    symlinkSync('busybox', join(root, 'bin', applet))
  return execFileSync('tar', ['-C', root, '-c', '.'], { maxBuffer: 64 * 1024 * 1024 })
}

/** `$1` is the engine's directory; while a file `down` is there, no dockerd runs. */
const INIT = `
ip link set lo up
mount -t tmpfs tmpfs /run && mkdir -p /etc/docker "$1/etc" && mount --bind "$1/etc" /etc/docker
while :; do
  while [ -e "$1/down" ]; do sleep 0.05; done
  dockerd --data-root "$1/data" --exec-root /run/docker --pidfile /run/docker.pid \\
    -H "unix://$1/docker.sock" --cgroup-parent "/$2" --storage-driver overlay2 --bridge=none
done`

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return text === '' ? [] : text.split(' ').map(Number)
  } catch {
    return []
  }
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return ''
  }
}

/** Starts one with the image `busybox:local`. Needs root, dockerd and a static busybox. */
export async function startEngine(): Promise<TestEngine> {
  const directory = mkdtempSync(join(tmpdir(), 'shoal-engine-'))
  const socket = join(directory, 'docker.sock')
  const logPath = join(directory, 'log')
  const name = directory.slice(directory.lastIndexOf('/') + 1)
  const child = spawnEngine(directory, name, logPath)
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const never = new AbortController().signal
  const init = (): number => childrenOf(child.pid ?? 0)[0] ?? 0
  const dockerd = (): number => childrenOf(init()).find(pid => nameOf(pid) === 'dockerd') ?? 0

  // Also when the test process ends in the middle.
  const kill = (): void => {
    const pid = init()
    if (pid !== 0) process.kill(pid, 'SIGKILL')
    else child.kill('SIGKILL')
  }
  process.once('exit', kill)

  const until = async (what: string, done: () => boolean | Promise<boolean>): Promise<void> => {
    const deadlineMs = performance.now() + UP_TIMEOUT_MS
    while (!(await done())) {
      if (performance.now() > deadlineMs)
        throw new Error(`engine: not ${what}:\n${readFileSync(logPath, 'utf8').slice(-2_000)}`)
      await pause(POLL_MS, never)
    }
  }
  const answers = (): Promise<boolean> =>
    ask(socket, 'GET', '/_ping').then(
      answer => answer.status === 200,
      () => false
    )
  const engine: TestEngine = {
    socket,
    host: `unix://${socket}`,
    log: () => readFileSync(logPath, 'utf8'),
    down: async () => {
      writeFileSync(join(directory, 'down'), '')
      const pid = dockerd()
      if (pid !== 0) process.kill(pid, 'SIGTERM')
      await until('down', () => pid === 0 || !existsSync(`/proc/${pid}`))
    },
    up: async () => {
      rmSync(join(directory, 'down'), { force: true })
      await until('up', answers)
    },
    freeze: () => void process.kill(dockerd(), 'SIGSTOP'),
    thaw: () => void process.kill(dockerd(), 'SIGCONT'),
    stop: async () => {
      // The first process of its namespace: everything in it goes too.
      kill()
      process.removeListener('exit', kill)
      await ended
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
      removeCgroups(name)
    }
  }
  try {
    await until('up', answers)
    await importBusybox(socket, directory)
    return engine
  } catch (error) {
    await engine.stop()
    throw error
  }
}

async function importBusybox(socket: string, directory: string): Promise<void> {
  const query = 'fromSrc=-&repo=busybox&tag=local'
  const changes = ['ENV PATH=/bin', 'CMD ["/bin/sh"]']
    .map(change => `&changes=${encodeURIComponent(change)}`)
    .join('')
  const path = `/images/create?${query}${changes}`
  const made = await ask(socket, 'POST', path, busyboxTar(directory))
  if (made.status !== 200) throw new Error(`engine: import answered ${made.status} ${made.text}`)
}

/** Starts the engine in namespaces of its own, its output in a file. */
function spawnEngine(directory: string, name: string, logPath: string): ChildProcess {
  const logFile = openSync(logPath, 'a')
  const namespaces = ['--net', '--mount', '--uts', '--ipc', '--pid', '--fork', '--mount-proc']
  const child = spawn(
    UNSHARE,
    [...namespaces, '--propagation', 'private', 'sh', '-c', INIT, 'engine', directory, name],
    { detached: true, stdio: ['ignore', logFile, logFile] }
  )
  closeSync(logFile)
  return child
}

/** Empty control groups that a killed engine leaves behind. */
function removeCgroups(name: string): void {
  for (const root of [
    '',
    'cpu',
    'cpuacct',
    'cpuset',
    'memory',
    'devices',
    'freezer',
    'blkio',
    'pids'
  ]) {
    const path = join('/sys/fs/cgroup', root, name)
    if (!existsSync(path)) continue
    try {
      execFileSync('find', [path, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'], {
        stdio: 'ignore'
      })
    } catch {
      // Still being emptied by the kernel; it is only a name.
    }
  }
}
