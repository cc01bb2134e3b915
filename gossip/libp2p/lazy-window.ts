/**
 * js-yamux answers every data frame with a window update, however small: a 64-byte heartbeat a
 * second costs a second packet and its acknowledgement. Its specification asks for an update only
 * when it matters; Go's yamux waits until half of the window is used. So do we.
 */
import type { StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'

/** What is used of js-yamux's stream. A contract test holds it to these names. */
interface WindowedStream {
  state: number
  recvWindow: number
  recvWindowCapacity: number
  sendWindowUpdate(): void
}

interface StreamMaker {
  _newStream(...init: unknown[]): WindowedStream
}

/** js-yamux's state of a stream that both sides know of. Others carry flags in their updates. */
const ESTABLISHED = 3

type CreateMuxerFactory<Components> = (components: Components) => StreamMuxerFactory

export function lazyWindow<Components>(
  create: CreateMuxerFactory<Components>
): CreateMuxerFactory<Components> {
  return components => {
    const factory = create(components)
    const createStreamMuxer = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = connection => {
      const muxer = createStreamMuxer(connection) as StreamMuxer & StreamMaker
      const newStream = muxer._newStream.bind(muxer)
      muxer._newStream = (...init) => {
        const stream = newStream(...init)
        const sendWindowUpdate = stream.sendWindowUpdate.bind(stream)
        stream.sendWindowUpdate = () => {
          if (stream.state === ESTABLISHED && stream.recvWindowCapacity > stream.recvWindow / 2)
            return
          sendWindowUpdate()
        }
        return stream
      }
      return muxer
    }
    return factory
  }
}
