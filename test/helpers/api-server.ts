/** The real server on a real unix socket in front of a fake backend. */
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startApiServer } from '../../node/api/server.ts'
import { Client } from '../../src/api/client.ts'
import { FakeBackend } from './api-backend.ts'
import type { TestContext } from './suite.ts'

export interface ApiWorld {
  readonly backend: FakeBackend
  readonly client: Client
  readonly socket: string
  readonly bugs: unknown[]
  close(): Promise<void>
}

export async function tempFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-api-'))
  context.cleanup(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export async function openApi(context: TestContext, version = '0.1.0'): Promise<ApiWorld> {
  const socket = join(await tempFolder(context), 'shoal.sock')
  const backend = new FakeBackend()
  const bugs: unknown[] = []
  const server = await startApiServer(
    {
      backend,
      report: error => {
        bugs.push(error)
        if (process.env['SHOAL_DEBUG'] === '1') console.error(error)
      }
    },
    { socket, version }
  )
  context.cleanup(() => server.close())
  const client = new Client({ socketPath: socket })
  return { backend, client, socket, bugs, close: () => server.close() }
}

export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** A request as written here, whatever the client would have sent. */
export function raw(
  socketPath: string,
  options: {
    readonly method?: string
    readonly path: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string | Buffer
  }
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        socketPath,
        method: options.method ?? 'GET',
        path: options.path,
        headers: { ...options.headers },
        agent: false
      },
      response => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString('utf8')
          })
        )
      }
    )
    outgoing.on('error', reject)
    outgoing.end(options.body)
  })
}

/** Bytes in, bytes out, until the server closes. */
export function bytes(socketPath: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath, () => socket.write(text))
    let said = ''
    socket.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8')
    })
    socket.on('close', () => resolve(said))
    socket.on('error', reject)
  })
}
