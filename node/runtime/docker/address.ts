/**
 * Where the engine is: `--docker-host`, `DOCKER_HOST`, else the usual sockets in order.
 * docker-modem reads the environment by itself and lets it win over what it is given, so every
 * field is set here.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DockerOptions } from 'dockerode'
import { RuntimeFailure } from '../runtime.ts'

export interface AddressInput {
  /** From the configuration; wins over the environment. */
  readonly dockerHost?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

const DEFAULT_TCP_PORT = 2375
const TLS_PORT = '2376'

/** Hosts to try in order, as `unix:///path` or `tcp://host:port`. One when it was named. */
export function candidateHosts(input: AddressInput): readonly string[] {
  const named = input.dockerHost ?? input.env['DOCKER_HOST']
  if (named !== undefined && named !== '')
    return [named.startsWith('/') ? `unix://${named}` : named]
  const runtimeDir = input.env['XDG_RUNTIME_DIR']
  const own = runtimeDir === undefined || runtimeDir === '' ? [] : [runtimeDir]
  return [
    '/var/run/docker.sock',
    ...own.map(directory => join(directory, 'docker.sock')),
    ...own.map(directory => join(directory, 'podman/podman.sock')),
    '/run/podman/podman.sock'
  ].map(path => `unix://${path}`)
}

function tlsFiles(env: AddressInput['env']): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  const directory = env['DOCKER_CERT_PATH']
  if (directory === undefined || directory === '') return {}
  const read = (name: string): Buffer => readFileSync(join(directory, name))
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') }
}

/**
 * Options of dockerode for one host. `version` is the path prefix's, like `v1.41`.
 * Throws a permanent `RuntimeFailure` for a form that is not spoken (ssh, npipe).
 */
export function modemOptions(
  host: string,
  env: AddressInput['env'],
  version: string | undefined
): DockerOptions {
  const common = { version, headers: {}, timeout: undefined, sshOptions: undefined }
  const plain = { ca: undefined, cert: undefined, key: undefined }
  if (host.startsWith('unix://')) {
    const socketPath = host.slice('unix://'.length)
    const options = { ...common, ...plain, socketPath, protocol: 'http', host: undefined }
    return options as unknown as DockerOptions
  }
  let url: URL
  try {
    url = new URL(host.includes('://') ? host : `tcp://${host}`)
  } catch (error) {
    throw new RuntimeFailure('permanent', `docker host ${host} is not an address`, error)
  }
  if (!['tcp:', 'http:', 'https:'].includes(url.protocol))
    throw new RuntimeFailure(
      'permanent',
      `docker host ${host}: ${url.protocol}// is not supported; use unix:// or tcp://`
    )
  const secure =
    url.protocol === 'https:' || url.port === TLS_PORT || env['DOCKER_TLS_VERIFY'] === '1'
  const options = {
    ...common,
    ...plain,
    ...(secure ? tlsFiles(env) : {}),
    host: url.hostname,
    port: url.port === '' ? DEFAULT_TCP_PORT : Number(url.port),
    protocol: secure ? 'https' : 'http',
    pathPrefix: '/'
  }
  return options as unknown as DockerOptions
}
