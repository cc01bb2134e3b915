/**
 * libp2p's TCP transport behind a door: a socket is shown to libp2p only once it has sent a byte.
 * A knock (`protocols.md` 2.4) connects and closes; it must not be logged nor counted against the
 * inbound caps, and half-open floods must not use them up either.
 */
import type {
  CreateListenerOptions,
  MultiaddrConnection,
  Transport,
  Upgrader
} from '@libp2p/interface'
import { type TCPComponents, tcp } from '@libp2p/tcp'
import { drop, type HostStats } from './stats.ts'

export interface QuietTcpInit {
  readonly stats: HostStats
  /** How long a socket may stay silent, and how many may. */
  readonly silentMs: number
  readonly silentMax: number
}

type FirstByte = 'data' | 'closed' | 'silent' | 'full'

/** The part of libp2p's socket connection that carries incoming bytes. */
interface Receiver {
  onData(data: Uint8Array): void
}

export function quietTcp(init: QuietTcpInit): (components: TCPComponents) => Transport {
  const create = tcp({
    // No silence closes a socket: heartbeats and knocks decide who is gone.
    inboundSocketInactivityTimeout: 0,
    outboundSocketInactivityTimeout: 0,
    backlog: 1_024
  })
  return components => {
    const transport = create(components)
    const door = new Door(init)
    const createListener = transport.createListener.bind(transport)
    transport.createListener = options =>
      createListener({ ...options, upgrader: door.before(options.upgrader) })
    return transport
  }
}

class Door {
  readonly #init: QuietTcpInit
  /** Oldest first. Each entry sends its socket away. */
  readonly #waiting = new Set<() => void>()

  constructor(init: QuietTcpInit) {
    this.#init = init
  }

  before(upgrader: Upgrader): CreateListenerOptions['upgrader'] {
    return new Proxy(upgrader, {
      get: (target, property) => {
        if (property === 'upgradeInbound')
          return async (socket: MultiaddrConnection, options: { signal: AbortSignal }) => {
            await this.#admit(socket, options.signal)
            try {
              await target.upgradeInbound(socket, options)
            } catch (error) {
              this.#init.stats.handshakesFailed += 1
              throw error
            }
          }
        const value: unknown = Reflect.get(target, property)
        return typeof value === 'function' ? value.bind(target) : value
      }
    })
  }

  async #admit(socket: MultiaddrConnection, signal: AbortSignal): Promise<void> {
    const first = await this.#firstByte(socket, signal)
    if (first === 'data') return
    if (first === 'closed') this.#init.stats.knocksIn += 1
    else drop(this.#init.stats, `socket-${first}`)
    // The listener catches this and destroys the socket; it logs to libp2p's silent logger.
    throw new Error(`socket ${first} before its first byte`)
  }

  #firstByte(socket: MultiaddrConnection, signal: AbortSignal): Promise<FirstByte> {
    return new Promise(resolve => {
      const receiver = socket as unknown as Receiver
      const onData = receiver.onData
      const settle = (outcome: FirstByte): void => {
        clearTimeout(timer)
        this.#waiting.delete(onFull)
        signal.removeEventListener('abort', onClose)
        socket.removeEventListener('close', onClose)
        receiver.onData = onData
        resolve(outcome)
      }
      const onFull = (): void => settle('full')
      const onClose = (): void => settle('closed')
      const timer = setTimeout(() => settle('silent'), this.#init.silentMs)
      // Without a listener the connection keeps what arrives in its bounded read buffer.
      receiver.onData = data => {
        settle('data')
        onData.call(socket, data)
      }
      socket.addEventListener('close', onClose)
      signal.addEventListener('abort', onClose)
      if (socket.status !== 'open') return onClose()
      this.#waiting.add(onFull)
      if (this.#waiting.size > this.#init.silentMax) {
        const [oldest] = this.#waiting
        oldest?.()
      }
    })
  }
}
