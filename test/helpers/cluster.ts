/**
 * Daemons on loopback with the process runtime, for tests that need neither root nor Docker. Each
 * has its own folder below one that names this test process, by which everything that was started
 * is found again and ended.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Daemon } from './cluster-daemon.ts'
import { commandLine } from './testbed-net.ts'
import { isAlive, signalAll, until } from './testbed-run.ts'

export interface ClusterInit {
  readonly daemons: number
  readonly flags?: readonly string[]
}

/** Ports that are free now; held open together, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer()
      return new Promise<typeof server>((resolve, reject) => {
        server.on('error', reject)
        server.listen(0, '127.0.0.1', () => resolve(server))
      })
    })
  )
  const ports = servers.map(server => {
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  })
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}

interface ProcessRow {
  readonly pid: number
  readonly parent: number
  readonly command: string
}

function processes(): ProcessRow[] {
  return readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry))
    .flatMap(entry => {
      try {
        const stat = readFileSync(`/proc/${entry}/stat`, 'utf8')
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
        return [{ pid: Number(entry), parent, command: commandLine(Number(entry)) }]
      } catch {
        return []
      }
    })
}

/** Processes that name a folder in their command line, and all that descend from them. */
export function processesOf(folder: string): number[] {
  const all = processes()
  const found = new Set(all.filter(row => row.command.includes(folder)).map(row => row.pid))
  for (let size = -1; size !== found.size; ) {
    size = found.size
    for (const row of all) if (found.has(row.parent)) found.add(row.pid)
  }
  found.delete(process.pid)
  return [...found]
}

export class Cluster {
  readonly folder: string
  readonly daemons: readonly Daemon[]

  private constructor(folder: string, daemons: readonly Daemon[]) {
    this.folder = folder
    this.daemons = daemons
  }

  /** Makes the daemons without starting any. */
  static async make(init: ClusterInit): Promise<Cluster> {
    const folder = mkdtempSync(join(tmpdir(), `shoalcl-${process.pid}-`))
    const ports = await freePorts(init.daemons)
    const daemons = ports.map((port, i) => {
      const name = `n${i + 1}`
      const own = join(folder, name)
      mkdirSync(own)
      const listen = `/ip4/127.0.0.1/tcp/${port}`
      return new Daemon({
        ...{ name, folder: own, listen, runtime: 'process' },
        flags: [...(init.flags ?? [])]
      })
    })
    return new Cluster(folder, daemons)
  }

  daemon(index: number): Daemon {
    const daemon = this.daemons[index - 1]
    if (daemon === undefined) throw new Error(`there is no daemon ${index}`)
    return daemon
  }

  /** One mesh of all, joined by the token of the first. Returns the token. */
  async mesh(): Promise<string> {
    const [first, ...others] = this.daemons
    if (first === undefined) throw new Error('a mesh needs a daemon')
    await first.up()
    const token = await first.token()
    for (const daemon of others) await daemon.join(token)
    const names = this.daemons.map(daemon => daemon.name)
    await Promise.all(this.daemons.map(daemon => daemon.client.sees(names)))
    return token
  }

  /** Writes a file into the cluster's folder and returns its path. */
  write(name: string, text: string): string {
    const path = join(this.folder, name)
    writeFileSync(path, text)
    return path
  }

  /** Ends everything that was started here and removes the folder. */
  async close(): Promise<void> {
    await until(
      'every process of the cluster is gone',
      () => {
        const pids = processesOf(this.folder).filter(isAlive)
        signalAll(pids, 'SIGCONT')
        signalAll(pids, 'SIGKILL')
        return pids.length === 0 ? true : undefined
      },
      { intervalMs: 50 }
    )
    rmSync(this.folder, { recursive: true, force: true })
  }
}
