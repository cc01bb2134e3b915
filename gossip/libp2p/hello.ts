/**
 * The hello: the first thing said on every connection, both ways, on `/shoal/hello/1`. The dialler
 * speaks first. Nothing else is served before both have checked what the other said; a resolved
 * dial alone admits nobody.
 */
import type { Stream } from '@libp2p/interface'
import { decode, encode } from '../codec.ts'
import { count, isRecord, list, text } from '../core/check.ts'
import { FrameReader, prefixFrames } from './frames.ts'
import { ADDRESS_LENGTH_MAX, ADDRESSES_MAX, HELLO_BYTES_MAX, NAME_LENGTH_MAX } from './limits.ts'
import type { LinkFailure, PeerHello } from './types.ts'

export const HELLO_PROTOCOL = '/shoal/hello/1'
const VERSIONS_MAX = 16
const HEX_128 = /^[0-9a-f]{32}$/

/** What goes over the wire. Unknown fields of newer versions are ignored. */
export interface Hello {
  readonly mesh: string
  /** Protocol versions spoken, any order. */
  readonly versions: readonly number[]
  readonly placementVersion: number
  readonly boot: string
  readonly incarnation: number
  readonly name: string
  readonly addresses: readonly string[]
}

/** Why a hello admits nobody. */
export class HelloError extends Error {
  override readonly name = 'HelloError'
  readonly failure: LinkFailure

  constructor(failure: LinkFailure, message: string) {
    super(message)
    this.failure = failure
  }
}

const isVersions = list(VERSIONS_MAX, count)
const isAddresses = list(ADDRESSES_MAX, text(ADDRESS_LENGTH_MAX))
const isName = text(NAME_LENGTH_MAX)

function parse(frame: Uint8Array): Hello {
  const value = decode(frame)
  if (!isRecord(value)) throw new HelloError('CLOSED', 'its hello is no record')
  const { mesh, versions, placementVersion, boot, incarnation, name, addresses } = value
  if (
    typeof mesh !== 'string' ||
    !HEX_128.test(mesh) ||
    typeof boot !== 'string' ||
    !HEX_128.test(boot) ||
    !isVersions(versions) ||
    !count(placementVersion) ||
    !count(incarnation) ||
    !isName(name) ||
    !isAddresses(addresses)
  )
    throw new HelloError('CLOSED', 'its hello lacks a field, or one is out of bounds')
  return { mesh, versions, placementVersion, boot, incarnation, name, addresses }
}

/** Checks theirs against ours. Throws `HelloError` `WRONG_MESH` or `VERSION`. */
function accept(theirs: Hello, ours: Hello): PeerHello {
  if (theirs.mesh !== ours.mesh)
    throw new HelloError('WRONG_MESH', `it belongs to mesh ${theirs.mesh}, this is ${ours.mesh}`)
  const common = theirs.versions.filter(version => ours.versions.includes(version))
  if (common.length === 0)
    throw new HelloError(
      'VERSION',
      `it speaks ${theirs.versions.join()}, we ${ours.versions.join()}`
    )
  const { boot, incarnation, name, addresses, placementVersion } = theirs
  return { boot, incarnation, name, addresses, placementVersion, version: Math.max(...common) }
}

/** Reads one frame. Rejects on a bad length, a closed stream, or the signal. */
function readFrame(stream: Stream, signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: Uint8Array | Error): void => {
      stream.removeEventListener('message', onMessage)
      stream.removeEventListener('close', onEnd)
      stream.removeEventListener('remoteCloseWrite', onEnd)
      signal.removeEventListener('abort', onAbort)
      if (outcome instanceof Error) reject(outcome)
      else resolve(outcome)
    }
    const reader = new FrameReader(frame => settle(frame.slice()), HELLO_BYTES_MAX)
    const onMessage = (event: { data: { subarray(): Uint8Array } }): void => {
      try {
        reader.push(event.data.subarray())
      } catch (error) {
        settle(error as Error)
      }
    }
    const onEnd = (): void => settle(new HelloError('CLOSED', 'closed before its hello'))
    const onAbort = (): void => settle(new HelloError('TIMEOUT', 'no hello in time'))
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort)
    stream.addEventListener('close', onEnd)
    stream.addEventListener('remoteCloseWrite', onEnd)
    stream.addEventListener('message', onMessage)
  })
}

/** The dialler's half. Throws `HelloError`, or whatever broke the stream. */
export async function sayHello(
  stream: Stream,
  ours: Hello,
  signal: AbortSignal
): Promise<PeerHello> {
  const answer = readFrame(stream, signal)
  // Nobody waits for it where the writing below throws; its failure must not be nobody's.
  answer.catch(() => undefined)
  stream.send(prefixFrames([encode(ours)]))
  const theirs = parse(await answer)
  void stream.close().catch(() => {})
  return accept(theirs, ours)
}

/** The listener's half. It answers before it judges, so that both can name what is wrong. */
export async function answerHello(
  stream: Stream,
  ours: Hello,
  signal: AbortSignal
): Promise<PeerHello> {
  const theirs = parse(await readFrame(stream, signal))
  stream.send(prefixFrames([encode(ours)]))
  void stream.close().catch(() => {})
  return accept(theirs, ours)
}
