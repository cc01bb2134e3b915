/**
 * The little of an engine's API that the demonstration needs: is one there, is there an image,
 * kill what one node runs, remove what is left. Everything it ends is found by the labels of the
 * demonstration's own mesh.
 */
import { existsSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { type TarEntry, tar } from './tar.ts'

export interface DemoImage {
  readonly name: string
  /** How it came to be there, for people. */
  readonly how: string
  /** Made by us, so that we remove it again. */
  readonly isOurs: boolean
}

const PRESENT_IMAGES = ['busybox:latest', 'alpine:latest', 'busybox:local', 'debian:stable-slim']
const PULLED_IMAGE = 'busybox:latest'
const OWN_IMAGE = 'shoal-demo'
const BUSYBOX_PATHS = ['/bin/busybox', '/usr/bin/busybox']
const CALL_TIMEOUT_MS = 10_000
const PULL_TIMEOUT_MS = 15_000
const ELF_INTERPRETER = 3

export class DemoEngine {
  readonly socket: string

  constructor(socket: string) {
    this.socket = socket
  }

  get host(): string {
    return `unix://${this.socket}`
  }

  /** True when an engine answers. */
  async answers(): Promise<boolean> {
    return (await this.#call('GET', '/_ping')).status === 200
  }

  /** One that has a shell: present, else pulled, else made from this host's static busybox. */
  async image(): Promise<DemoImage | undefined> {
    for (const name of PRESENT_IMAGES)
      if ((await this.#call('GET', `/images/${name}/json`)).status === 200)
        return { name, how: 'present', isOurs: false }
    const path = `/images/create?fromImage=${PULLED_IMAGE.replace(':', '&tag=')}`
    const pulled = await this.#call('POST', path, { timeoutMs: PULL_TIMEOUT_MS })
    if (pulled.status === 200 && !pulled.text.includes('"error"'))
      return { name: PULLED_IMAGE, how: 'pulled', isOurs: true }
    const busybox = BUSYBOX_PATHS.find(one => existsSync(one) && isStatic(readFileSync(one)))
    if (busybox === undefined) return undefined
    return this.#imported(busybox)
  }

  async #imported(busybox: string): Promise<DemoImage | undefined> {
    const links = ['sh', 'sleep', 'date', 'cat', 'echo'].map(
      (name): TarEntry => ({ kind: 'link', path: `bin/${name}`, target: 'busybox' })
    )
    const body = tar([
      { kind: 'folder', path: 'bin/' },
      { kind: 'file', path: 'bin/busybox', bytes: readFileSync(busybox) },
      ...links
    ])
    const tag = `run-${process.pid}`
    const path = `/images/create?fromSrc=-&repo=${OWN_IMAGE}&tag=${tag}`
    const made = await this.#call('POST', path, { body, timeoutMs: PULL_TIMEOUT_MS })
    if (made.status !== 200 || made.text.includes('"error"')) return undefined
    const how = `imported from ${busybox} of this host`
    return { name: `${OWN_IMAGE}:${tag}`, how, isOurs: true }
  }

  /** Containers of one node of one mesh end at once, as on a host that loses power. */
  async kill(mesh: string, node: string): Promise<void> {
    const ids = await this.#containers([`shoal.mesh=${mesh}`, `shoal.node=${node}`])
    await Promise.all(ids.map(id => this.#call('POST', `/containers/${id}/kill?signal=KILL`)))
  }

  /** Everything that carries the mesh's label, and the image if it is ours. */
  async clean(mesh: string, image: DemoImage | undefined): Promise<void> {
    const ids = await this.#containers([`shoal.mesh=${mesh}`])
    await Promise.all(ids.map(id => this.#call('DELETE', `/containers/${id}?force=1&v=1`)))
    const filters = encodeURIComponent(JSON.stringify({ label: [`shoal.mesh=${mesh}`] }))
    const networks = await this.#list(`/networks?filters=${filters}`)
    await Promise.all(networks.map(id => this.#call('DELETE', `/networks/${id}`)))
    if (image?.isOurs === true) await this.#call('DELETE', `/images/${image.name}`)
  }

  #containers(labels: readonly string[]): Promise<readonly string[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: labels }))
    return this.#list(`/containers/json?all=1&filters=${filters}`)
  }

  async #list(path: string): Promise<readonly string[]> {
    const answer = await this.#call('GET', path)
    if (answer.status !== 200) return []
    return (JSON.parse(answer.text) as { Id: string }[]).map(one => one.Id)
  }

  /** Status 0: no answer. */
  #call(
    method: string,
    path: string,
    options: { readonly body?: Buffer; readonly timeoutMs?: number } = {}
  ): Promise<{ readonly status: number; readonly text: string }> {
    return new Promise(resolve => {
      const { body, timeoutMs = CALL_TIMEOUT_MS } = options
      const headers = {
        host: 'docker',
        'content-type': 'application/x-tar',
        'content-length': body?.length ?? 0
      }
      const outgoing = request({ socketPath: this.socket, method, path, headers, agent: false })
      const timer = setTimeout(() => outgoing.destroy(), timeoutMs)
      const end = (status: number, text: string): void => {
        clearTimeout(timer)
        resolve({ status, text })
      }
      outgoing.on('response', response => {
        let text = ''
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString('utf8')
        })
        response.on('end', () => end(response.statusCode ?? 0, text))
        response.on('error', () => end(0, ''))
      })
      outgoing.on('error', () => end(0, ''))
      outgoing.end(body)
    })
  }
}

/** The engine that `--docker-host`, DOCKER_HOST or the usual sockets name; unix sockets only. */
export async function findEngine(
  env: Readonly<Record<string, string | undefined>>,
  given: string | undefined
): Promise<DemoEngine | undefined> {
  const named = given ?? (env['DOCKER_HOST'] === '' ? undefined : env['DOCKER_HOST'])
  const runtime = env['XDG_RUNTIME_DIR']
  const usual = [
    '/var/run/docker.sock',
    ...(runtime === undefined
      ? []
      : [join(runtime, 'docker.sock'), join(runtime, 'podman/podman.sock')]),
    '/run/podman/podman.sock'
  ]
  const paths = named === undefined ? usual : [named.replace(/^unix:\/\//, '')]
  for (const path of paths) {
    if (!path.startsWith('/') || !existsSync(path)) continue
    const engine = new DemoEngine(path)
    if (await engine.answers()) return engine
  }
  return undefined
}

/** An ELF program without an interpreter needs no library in its container. */
function isStatic(bytes: Buffer): boolean {
  if (bytes.length < 64 || bytes.toString('latin1', 0, 4) !== '\u007fELF') return false
  // 64 bit, little endian: what the engines that have no image at hand mostly are.
  if (bytes[4] !== 2 || bytes[5] !== 1) return false
  const start = Number(bytes.readBigUInt64LE(32))
  const size = bytes.readUInt16LE(54)
  const count = bytes.readUInt16LE(56)
  for (let at = 0; at < count; at += 1) {
    const offset = start + at * size
    if (offset + 4 > bytes.length) return false
    if (bytes.readUInt32LE(offset) === ELF_INTERPRETER) return false
  }
  return true
}
