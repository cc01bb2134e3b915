/** Gossip as a library: the codec, signatures, and the host. The cores are `gossip/core`. */
export {
  codec,
  decode,
  decodeVerified,
  encode,
  FrameError,
  type FrameFault,
  type Verify
} from './codec.ts'
export { type Endpoint, endpointOf } from './libp2p/addresses.ts'
export {
  ListenError,
  MeshHost,
  type MeshHostComponents,
  type MeshHostInit
} from './libp2p/host.ts'
export { fingerprint } from './libp2p/key-check.ts'
export { DEFAULT_LIMITS, type HostLimits } from './libp2p/limits.ts'
export type { HostStats } from './libp2p/stats.ts'
export type {
  BulkHandler,
  BulkStream,
  ConnectOutcome,
  FrameListener,
  HostLog,
  KnockOutcome,
  LinkEvent,
  LinkFailure,
  LinkListener,
  PeerHello,
  PublishedListener
} from './libp2p/types.ts'
export { createSealer, createVerifier, nodeIdOf, type Verifier } from './signer.ts'
