/**
 * Hosts as network namespaces on one bridge, which sits in a namespace of its own: in the root
 * namespace the bridge's packets would pass Docker's FORWARD DROP. Names carry the id of the
 * process that made them, so that two runs never meet and a dead run's left-overs are known.
 */
import { readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive, must, run, signalAll, until } from './testbed-run.ts'

const PREFIX = 'shoaltb'
const NAMESPACE_NAME = new RegExp(`^${PREFIX}-(\\d+)-(\\d+)-`)

let made = 0

/** The names of one testbed, unique on this machine. */
export interface BedNames {
  readonly id: string
  readonly folder: string
  readonly bridge: string
}

export function bedNames(): BedNames {
  made += 1
  const id = `${PREFIX}-${process.pid}-${made}`
  return { id, folder: join(tmpdir(), id), bridge: `${id}-br` }
}

const ip = (...args: readonly string[]): Promise<string> => must(['ip', ...args])

export async function makeBridge(names: BedNames): Promise<void> {
  await ip('netns', 'add', names.bridge)
  await ip('-n', names.bridge, 'link', 'add', 'br0', 'type', 'bridge')
  await ip('-n', names.bridge, 'link', 'set', 'br0', 'up')
}

/** A host's namespace with `eth0` on the bridge. */
export async function makeHostNet(names: BedNames, index: number, address: string): Promise<void> {
  const host = `${names.id}-${index}`
  const port = `h${index}`
  const pair = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', host]
  await ip('netns', 'add', host)
  await ip('link', 'add', port, 'netns', names.bridge, ...pair)
  await ip('-n', names.bridge, 'link', 'set', port, 'master', 'br0', 'up')
  await ip('-n', host, 'link', 'set', 'lo', 'up')
  await ip('-n', host, 'addr', 'add', `${address}/24`, 'dev', 'eth0')
  await ip('-n', host, 'link', 'set', 'eth0', 'up')
  await ip('-n', host, 'route', 'add', 'default', 'via', '10.88.0.254')
}

/** Every process in a network namespace, as ids of this machine. */
export async function pidsIn(namespace: string): Promise<number[]> {
  const { code, stdout } = await run(['ip', 'netns', 'pids', namespace])
  return code === 0 ? stdout.split('\n').filter(Boolean).map(Number) : []
}

/** The process ids a process has, outermost first; more than one inside a process namespace. */
export function nestedPids(pid: number): number[] {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return /^NSpid:\s*(.*)$/m.exec(status)?.[1]?.trim().split(/\s+/).map(Number) ?? []
  } catch {
    return []
  }
}

export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
  } catch {
    return ''
  }
}

/** Ends everything in a namespace and waits until it is empty. */
export async function emptyNamespace(namespace: string): Promise<void> {
  await until(
    `${namespace} is empty`,
    async () => {
      const pids = await pidsIn(namespace)
      signalAll(pids, 'SIGKILL')
      return pids.length === 0 ? true : undefined
    },
    { timeoutMs: 15_000, intervalMs: 30 }
  )
}

const CGROUPS = '/sys/fs/cgroup'

function removeTree(path: string): void {
  let entries: string[] = []
  try {
    entries = readdirSync(path, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => entry.name)
  } catch {
    return
  }
  for (const entry of entries) removeTree(join(path, entry))
  try {
    rmdirSync(path)
  } catch {
    // still in use for a moment; empty groups are harmless
  }
}

/** Removes the control groups that a bed's engines made; version 1 has a tree a controller. */
function removeCgroups(id: string): void {
  let tops: string[] = []
  try {
    tops = readdirSync(CGROUPS)
  } catch {
    return
  }
  const folders = [CGROUPS, ...tops.map(top => join(CGROUPS, top))]
  for (const folder of folders) {
    let names: string[] = []
    try {
      names = readdirSync(folder)
    } catch {
      continue
    }
    for (const name of names) if (name.startsWith(`${id}-`)) removeTree(join(folder, name))
  }
}

/** Takes a bed down by its names: processes, namespaces, control groups, files. */
export async function removeBed(id: string): Promise<void> {
  const { stdout } = await run(['ip', 'netns', 'list'])
  const namespaces = stdout
    .split('\n')
    .map(line => line.split(' ')[0] ?? '')
    .filter(name => name.startsWith(`${id}-`))
  await Promise.all(namespaces.map(emptyNamespace))
  for (const namespace of namespaces) await run(['ip', 'netns', 'del', namespace])
  removeCgroups(id)
  rmSync(join(tmpdir(), id), { recursive: true, force: true })
}

/** Removes what runs left behind whose process is gone. */
export async function removeOrphans(): Promise<void> {
  const { stdout } = await run(['ip', 'netns', 'list'])
  const ids = new Set<string>()
  for (const name of [...stdout.split('\n'), ...readdirSync(tmpdir()).map(dir => `${dir}-`)]) {
    const match = NAMESPACE_NAME.exec(name)
    if (match !== null && !isAlive(Number(match[1]))) ids.add(`${PREFIX}-${match[1]}-${match[2]}`)
  }
  for (const id of ids) await removeBed(id)
}
