/**
 * Makes `shoald.cache` beside a bundle: three daemons on loopback meet, and V8's code of the one in
 * the middle, which has joined and was joined, is written down.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { ReadyView, StatusView } from '../src/api/types.ts'
import { NODE_FLAGS } from '../src/cli/node-flags.ts'
import { capture } from './exec.ts'

const READY_MS = 15_000
const POLL_MS = 100
/** What runs once a second has run by then. */
const WARM_MS = 2_500

/** Runs shoald like any other, and writes its code when it is told to. */
const WARM = `
process.argv.splice(1, 0, 'shoald')
const { script } = await import(process.env.SHOAL_BUNDLE)
const { writeFileSync } = await import('node:fs')
process.on('SIGUSR2', () => {
  writeFileSync(process.env.SHOAL_CACHE, script.createCachedData())
  process.exit(0)
})`

class Warming {
  readonly #bundle: string
  readonly #folder = mkdtempSync(join(tmpdir(), 'shoal-cache-'))
  readonly #pids: number[] = []

  constructor(bundle: string) {
    this.#bundle = bundle
  }

  async make(): Promise<void> {
    const first = this.#start('a', ['up'])
    const token = join(this.#folder, 'token')
    writeFileSync(token, this.#shoal('a', ['token', 'create']), { mode: 0o600 })
    const middle = this.#middle(token, first.addresses[0] ?? '')
    try {
      await this.#joined('b')
      this.#start('c', ['join', this.#shoal('b', ['token', 'create']).trim()])
      await sleep(WARM_MS)
      const ended = once(middle, 'exit', { signal: AbortSignal.timeout(READY_MS) })
      middle.kill('SIGUSR2')
      await ended
    } finally {
      middle.kill('SIGKILL')
    }
  }

  end(): void {
    for (const pid of this.#pids) process.kill(pid, 'SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #flags(name: string): string[] {
    const where = ['--data-dir', join(this.#folder, name), '--socket', this.#socket(name)]
    const what = ['--name', name, '--listen', '/ip4/127.0.0.1/tcp/0', '--runtime', 'process']
    return [...where, ...what]
  }

  #socket(name: string): string {
    return join(this.#folder, `${name}.sock`)
  }

  #shoal(name: string, args: readonly string[]): string {
    const program = [process.execPath, join(this.#bundle, 'shoal.js')]
    return capture(['env', `SHOAL_SOCKET=${this.#socket(name)}`, ...program, ...args])
  }

  #start(name: string, command: readonly string[]): ReadyView {
    const said = this.#shoal(name, [...command, ...this.#flags(name), '-o', 'json'])
    if (said === '') throw new Error(`daemon ${name} did not start`)
    const view = JSON.parse(said) as ReadyView
    this.#pids.push(view.pid)
    return view
  }

  #middle(token: string, peer: string): ChildProcess {
    const flags = [...this.#flags('b'), '--join', peer, '--token-file', token]
    const options = [...NODE_FLAGS, '--input-type=module', '-e', WARM, '--']
    return spawn(process.execPath, [...options, ...flags], {
      stdio: 'ignore',
      env: {
        ...process.env,
        SHOAL_BUNDLE: pathToFileURL(join(this.#bundle, 'shoald.js')).href,
        SHOAL_CACHE: join(this.#bundle, 'shoald.cache')
      }
    })
  }

  async #joined(name: string): Promise<void> {
    const deadlineMs = performance.now() + READY_MS
    while (performance.now() < deadlineMs) {
      const said = this.#shoal(name, ['status', '-o', 'json'])
      if (said !== '' && (JSON.parse(said) as StatusView).members.alive === 2) return
      await sleep(POLL_MS)
    }
    throw new Error(`daemon ${name} did not join in time`)
  }
}

/** Writes the cache into a bundle's folder; gives its size in bytes. */
export async function writeCodeCache(bundle: string): Promise<number> {
  const warming = new Warming(bundle)
  try {
    await warming.make()
  } finally {
    warming.end()
  }
  return statSync(join(bundle, 'shoald.cache')).size
}
