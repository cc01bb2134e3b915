/**
 * A Docker API over a unix socket, for what a real engine does not do on demand: it hangs, loses
 * replies, refuses, lies. It keeps containers, networks, volumes and images in memory, and runs
 * nothing: a container's command says what becomes of it (`exit 3`, `print …`, `stubborn`, else it
 * waits).
 */
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import {
  type CreateBody,
  type Dict,
  type FakeContainer,
  type Filters,
  inspectOf,
  matches,
  parseFilters,
  send
} from './fake-docker-parts.ts'

/** `hang`: done, never answered. `lose`: done, connection cut. `silent`: not even done. */
export interface Fault {
  readonly method: string
  readonly path: RegExp
  /** How often; default once. */
  times?: number
  readonly act:
    | { readonly kind: 'hang' }
    | { readonly kind: 'silent' }
    | { readonly kind: 'lose' }
    | { readonly kind: 'answer'; readonly status: number; readonly body: object }
}

export interface FakeDockerInit {
  readonly socket: string
  readonly apiVersion?: string
  readonly minApiVersion?: string
  readonly images?: readonly string[]
  readonly paths?: readonly string[]
}

const NEVER_STARTED = '0001-01-01T00:00:00Z'

class Refusal extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export class FakeDocker {
  readonly containers = new Map<string, FakeContainer>()
  readonly networks = new Map<string, { Id: string; Name: string; Labels: Dict }>()
  readonly volumes = new Map<string, { Name: string; Labels: Dict }>()
  readonly images: Set<string>
  readonly requests: string[] = []
  readonly #init: FakeDockerInit
  readonly #faults: Fault[] = []
  readonly #events = new Set<{ readonly answer: ServerResponse; readonly filters: Filters }>()
  readonly #waits = new Map<string, Set<() => void>>()
  #server: Server | undefined

  constructor(init: FakeDockerInit) {
    this.#init = init
    this.images = new Set(init.images ?? ['busybox:local'])
  }

  get host(): string {
    return `unix://${this.#init.socket}`
  }

  async up(): Promise<void> {
    rmSync(this.#init.socket, { force: true })
    const server = createServer((request, answer) => void this.#serve(request, answer))
    this.#server = server
    await new Promise<void>(resolve => server.listen(this.#init.socket, resolve))
  }

  /** Connections are cut, the socket goes; containers stay. */
  async down(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    this.#events.clear()
    if (server === undefined) return
    const closed = new Promise<void>(resolve => server.close(() => resolve()))
    server.closeAllConnections()
    await closed
    rmSync(this.#init.socket, { force: true })
  }

  fault(fault: Fault): void {
    this.#faults.push({ ...fault })
  }

  /** Somebody else's container, or one of ours that somebody else changes. */
  add(name: string, labels: Dict, status: FakeContainer['status'] = 'running'): FakeContainer {
    const container = this.#make(name, { Image: 'busybox:local', Labels: labels })
    container.status = status
    container.startedAt = new Date().toISOString()
    return container
  }

  end(id: string, code: number): void {
    const container = this.containers.get(id)
    if (container?.status !== 'running') return
    container.status = 'exited'
    container.exitCode = code
    for (const wake of this.#waits.get(id) ?? []) wake()
    this.#waits.delete(id)
    this.#emit('die', container)
  }

  setHealth(id: string, health: string): void {
    const container = this.containers.get(id)
    if (container === undefined) return
    container.health = health
    this.#emit(`health_status: ${health}`, container)
  }

  #make(name: string, body: CreateBody): FakeContainer {
    const container: FakeContainer = {
      id: randomBytes(32).toString('hex'),
      name,
      body,
      status: 'created',
      exitCode: 0,
      startedAt: NEVER_STARTED,
      health: body.Healthcheck === undefined ? undefined : 'starting',
      lines: []
    }
    this.containers.set(container.id, container)
    this.#emit('create', container)
    return container
  }

  #emit(action: string, container: FakeContainer): void {
    const labels = container.body.Labels ?? {}
    const message = { Type: 'container', Action: action, Actor: { ID: container.id } }
    for (const { answer, filters } of this.#events) {
      const wanted = filters.event?.some(name => action.startsWith(name)) ?? true
      if (wanted && matches(labels, filters)) answer.write(`${JSON.stringify(message)}\n`)
    }
  }

  async #serve(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake')
    const path = url.pathname.replace(/^\/v\d+\.\d+/, '')
    const method = request.method ?? 'GET'
    this.requests.push(`${method} ${url.pathname}`)
    answer.setHeader('Api-Version', this.#init.apiVersion ?? '1.41')
    const fault = this.#faults.find(
      one => (one.times ?? 1) > 0 && one.method === method && one.path.test(path)
    )
    if (fault !== undefined) fault.times = (fault.times ?? 1) - 1
    const kind = fault?.act.kind
    if (kind === 'silent') return
    if (fault?.act.kind === 'answer') return send(answer, fault.act.status, fault.act.body)
    try {
      const body = method === 'POST' ? await json(request).catch(() => ({})) : {}
      const result = await this.#answer(method, path, url.searchParams, body as never, answer)
      if (kind === 'hang') return
      if (kind === 'lose') return void request.socket.destroy()
      if (result !== undefined) send(answer, result.status, result.body)
    } catch (error) {
      const status = error instanceof Refusal ? error.status : 500
      send(answer, status, { message: error instanceof Error ? error.message : String(error) })
    }
  }

  async #answer(
    method: string,
    path: string,
    query: URLSearchParams,
    body: never,
    answer: ServerResponse
  ): Promise<{ status: number; body?: unknown } | undefined> {
    const [, room = '', first = '', second = ''] = path.split('/').map(decodeURIComponent)
    const filters = parseFilters(query.get('filters'))
    if (path === '/_ping') return { status: 200, body: 'OK' }
    if (path === '/version') return { status: 200, body: this.#version() }
    if (path === '/events') return this.#follow(answer, filters)
    if (room === 'containers') return this.#container(method, first, second, query, body, answer)
    if (room === 'images' && method === 'GET') {
      const name = path.slice('/images/'.length, -'/json'.length)
      if (this.images.has(decodeURIComponent(name))) return { status: 200, body: { Id: name } }
      throw new Refusal(404, `No such image: ${name}`)
    }
    if (room === 'images') return this.#pull(query)
    if (room === 'networks') return this.#network(method, first, filters, body)
    if (room === 'volumes') return this.#volume(method, first, filters, body)
    throw new Refusal(404, `page not found: ${method} ${path}`)
  }

  #version(): object {
    const { apiVersion = '1.41', minApiVersion = '1.12' } = this.#init
    return { Version: '0.0.0-fake', ApiVersion: apiVersion, MinAPIVersion: minApiVersion }
  }

  #follow(answer: ServerResponse, filters: Filters): undefined {
    answer.writeHead(200, { 'content-type': 'application/json' })
    answer.flushHeaders()
    const entry = { answer, filters }
    this.#events.add(entry)
    answer.on('close', () => this.#events.delete(entry))
    return undefined
  }

  #pull(query: URLSearchParams): { status: number; body: unknown } {
    const name = `${query.get('fromImage')}:${query.get('tag')}`
    if (!name.startsWith('remote/')) throw new Refusal(404, `pull access denied for ${name}`)
    this.images.add(name)
    return { status: 200, body: `{"status":"Pulling"}\n{"status":"Downloaded"}\n` }
  }

  #network(method: string, id: string, filters: Filters, body: { Name: string; Labels?: Dict }) {
    if (method === 'GET') {
      const found = [...this.networks.values()].filter(({ Labels }) => matches(Labels, filters))
      return { status: 200, body: found }
    }
    if (method === 'DELETE') {
      const used = [...this.containers.values()].some(
        ({ body: { HostConfig }, status }) =>
          status === 'running' && HostConfig?.NetworkMode === this.networks.get(id)?.Name
      )
      if (used) throw new Refusal(403, `network ${id} has active endpoints`)
      return { status: this.networks.delete(id) ? 204 : 404 }
    }
    if ([...this.networks.values()].some(({ Name }) => Name === body.Name))
      throw new Refusal(409, `network with name ${body.Name} already exists`)
    const network = {
      Id: randomBytes(8).toString('hex'),
      Name: body.Name,
      Labels: body.Labels ?? {}
    }
    this.networks.set(network.Id, network)
    return { status: 201, body: { Id: network.Id } }
  }

  #volume(method: string, name: string, filters: Filters, body: { Name: string; Labels?: Dict }) {
    if (method === 'POST') {
      const made = { Name: body.Name, Labels: body.Labels ?? {} }
      if (!this.volumes.has(body.Name)) this.volumes.set(body.Name, made)
      return { status: 201, body: this.volumes.get(body.Name) }
    }
    const volume = this.volumes.get(name)
    if (volume !== undefined) return { status: 200, body: volume }
    if (name !== '') throw new Refusal(404, `no such volume ${name}`)
    const found = [...this.volumes.values()].filter(({ Labels }) => matches(Labels, filters))
    return { status: 200, body: { Volumes: found } }
  }

  async #container(
    method: string,
    first: string,
    second: string,
    query: URLSearchParams,
    body: CreateBody,
    answer: ServerResponse
  ): Promise<{ status: number; body?: unknown } | undefined> {
    if (first === 'json') {
      const filters = parseFilters(query.get('filters'))
      const found = [...this.containers.values()].filter(one =>
        matches(one.body.Labels ?? {}, filters)
      )
      return { status: 200, body: found.map(one => ({ Id: one.id, State: one.status })) }
    }
    if (first === 'create') return this.#create(query.get('name') ?? '', body)
    const container = [...this.containers.values()].find(
      ({ id, name }) => id === first || name === first
    )
    if (container === undefined) throw new Refusal(404, `No such container: ${first}`)
    switch (`${method} ${second}`) {
      case 'GET json':
        return { status: 200, body: inspectOf(container) }
      case 'POST start':
        if (container.status === 'running') return { status: 304 }
        this.#start(container)
        return { status: 204 }
      case 'POST kill':
        if (container.status !== 'running')
          throw new Refusal(409, `Container ${first} is not running`)
        this.#kill(container, query.get('signal') ?? 'SIGKILL')
        return { status: 204 }
      case 'POST wait':
        await this.#wait(container)
        return { status: 200, body: { StatusCode: container.exitCode } }
      case 'GET logs':
        return this.#logs(container, query, answer)
      case 'DELETE ':
        this.containers.delete(container.id)
        this.#emit('destroy', container)
        return { status: 204 }
      default:
        throw new Refusal(404, `page not found: ${method} ${second}`)
    }
  }

  #create(name: string, body: CreateBody): { status: number; body: unknown } {
    const taken = [...this.containers.values()].find(one => one.name === name)
    if (taken !== undefined)
      throw new Refusal(409, `Conflict. The container name "/${name}" is already in use`)
    if (!this.images.has(body.Image)) throw new Refusal(404, `No such image: ${body.Image}`)
    for (const { Type, Source } of body.HostConfig?.Mounts ?? []) {
      if (Type === 'bind' && !(this.#init.paths ?? []).includes(Source))
        throw new Refusal(400, `bind source path does not exist: ${Source}`)
    }
    return { status: 201, body: { Id: this.#make(name, body).id, Warnings: [] } }
  }

  #start(container: FakeContainer): void {
    container.status = 'running'
    container.startedAt = new Date().toISOString()
    if (container.health !== undefined) container.health = 'starting'
    this.#emit('start', container)
    const [program, ...rest] = container.body.Cmd ?? []
    if (program === 'print') {
      for (const word of rest) {
        const kind = word.startsWith('err') ? 2 : 1
        container.lines.push({ kind, time: new Date().toISOString(), text: word })
      }
    }
    if (program === 'exit') setImmediate(() => this.end(container.id, Number(rest[0] ?? 0)))
  }

  #kill(container: FakeContainer, signal: string): void {
    const stubborn = container.body.Cmd?.[0] === 'stubborn' && signal !== 'SIGKILL'
    if (!stubborn) this.end(container.id, signal === 'SIGKILL' ? 137 : 143)
  }

  #wait(container: FakeContainer): Promise<void> {
    if (container.status !== 'running') return Promise.resolve()
    return new Promise(resolve => {
      const set = this.#waits.get(container.id) ?? new Set()
      set.add(resolve)
      this.#waits.set(container.id, set)
    })
  }

  #logs(container: FakeContainer, query: URLSearchParams, answer: ServerResponse): undefined {
    const tail = query.get('tail')
    const lines = tail === 'all' ? container.lines : container.lines.slice(-Number(tail))
    answer.writeHead(200, { 'content-type': 'application/vnd.docker.raw-stream' })
    answer.flushHeaders()
    for (const { kind, time, text } of Number(tail) === 0 ? [] : lines) {
      const payload = Buffer.from(`${time} ${text}\n`)
      const header = Buffer.alloc(8)
      header.writeUInt8(kind, 0)
      header.writeUInt32BE(payload.length, 4)
      answer.write(Buffer.concat([header, payload]))
    }
    if (query.get('follow') !== 'true' || container.status !== 'running') answer.end()
    else void this.#wait(container).then(() => answer.end())
    return undefined
  }
}
