/** Asks a Docker engine over its unix socket: what the tests check never goes through shoal. */
import { request } from 'node:http'

export interface Container {
  readonly Id: string
  readonly Names: readonly string[]
  readonly State: string
  readonly Status: string
  readonly Labels: Readonly<Record<string, string>>
}

export interface ContainerDetail {
  readonly Id: string
  readonly Name: string
  readonly State: {
    readonly Running: boolean
    readonly Pid: number
    readonly StartedAt: string
    readonly ExitCode: number
  }
  readonly Config: {
    readonly Labels: Readonly<Record<string, string>>
    readonly Env: readonly string[]
    readonly Cmd: readonly string[] | null
    readonly Image: string
  }
  readonly HostConfig: {
    readonly Init: boolean | null
    readonly Memory: number
    readonly NanoCpus: number
    readonly RestartPolicy: { readonly Name: string }
    readonly LogConfig: { readonly Type: string; readonly Config: Record<string, string> }
  }
}

export class Engine {
  readonly socket: string

  constructor(socket: string) {
    this.socket = socket
  }

  /** The answer's body. Throws on a status of 400 and above, and when nothing answers. */
  call(method: string, path: string, body?: unknown, timeoutMs = 10_000): Promise<string> {
    const payload = body === undefined ? undefined : JSON.stringify(body)
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          socketPath: this.socket,
          path: `/v1.41${path}`,
          method,
          timeout: timeoutMs,
          headers: payload === undefined ? {} : { 'content-type': 'application/json' }
        },
        incoming => {
          let text = ''
          incoming.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk
          })
          incoming.on('error', reject)
          incoming.on('end', () => {
            const status = incoming.statusCode ?? 0
            if (status < 400) resolve(text)
            else reject(new Error(`${method} ${path}: ${status} ${text.trim()}`))
          })
        }
      )
      outgoing.on('error', reject)
      outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer`)))
      outgoing.end(payload)
    })
  }

  async ping(): Promise<boolean> {
    try {
      return (await this.call('GET', '/_ping', undefined, 1_000)) === 'OK'
    } catch {
      return false
    }
  }

  async containers(all = true): Promise<readonly Container[]> {
    return JSON.parse(await this.call('GET', `/containers/json?all=${all ? 1 : 0}`))
  }

  async inspect(id: string): Promise<ContainerDetail> {
    return JSON.parse(await this.call('GET', `/containers/${id}/json`))
  }

  /** Creates and starts a container that shoal does not know of. Returns its id. */
  async runForeign(name: string, image: string, command: readonly string[]): Promise<string> {
    const body = { Image: image, Cmd: command, HostConfig: { Init: true } }
    const made = JSON.parse(await this.call('POST', `/containers/create?name=${name}`, body))
    await this.call('POST', `/containers/${made.Id}/start`)
    return made.Id as string
  }

  async remove(id: string): Promise<void> {
    await this.call('DELETE', `/containers/${id}?force=1`)
  }
}
