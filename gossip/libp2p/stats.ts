/** Plain counters, read by metrics and by tests. They only rise. */

export interface HostStats {
  framesIn: number
  framesOut: number
  /** Bytes of frames on kept streams, without what libp2p puts around them. */
  bytesIn: number
  bytesOut: number
  publishedIn: number
  publishedOut: number
  /** Published messages that were not handed on: unreadable, unsigned, or refused by `validate`. */
  publishedRejected: number
  dials: number
  linksOpened: number
  linksClosed: number
  /** Inbound or outbound, for whatever reason, before a good hello. */
  handshakesFailed: number
  wrongKey: number
  wrongMesh: number
  /** Connections that closed before they sent a byte. */
  knocksIn: number
  knocksOut: number
  /** What was thrown away, by reason. */
  readonly drops: Record<string, number>
}

export function createStats(): HostStats {
  return {
    framesIn: 0,
    framesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    publishedIn: 0,
    publishedOut: 0,
    publishedRejected: 0,
    dials: 0,
    linksOpened: 0,
    linksClosed: 0,
    handshakesFailed: 0,
    wrongKey: 0,
    wrongMesh: 0,
    knocksIn: 0,
    knocksOut: 0,
    drops: {}
  }
}

export function drop(stats: HostStats, reason: string, count = 1): void {
  stats.drops[reason] = (stats.drops[reason] ?? 0) + count
}
