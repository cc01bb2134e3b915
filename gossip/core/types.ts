/** Words that every core shares. Pure: no IO, no clock, no randomness of its own. */

/** A libp2p peer id as text. It embeds the Ed25519 public key. */
export type NodeId = string
/** 128 random bits as 32 hex digits, drawn at each start of a daemon. */
export type BootId = string

/** memberlist's states. */
export type MemberState = 'alive' | 'suspect' | 'dead' | 'left'
/** What a member says of itself. `steady` is none of the others. */
export type Phase = 'joining' | 'steady' | 'restarting' | 'draining'

/** Seeded in the simulator, `crypto.randomBytes` in the daemon. */
export interface Random {
  /** Uniform integer in [0, below). `below` is at most 2^31. */
  int(below: number): number
  /** `length` lower-case hex digits. */
  hex(length: number): string
}

/** Frames larger than this are refused (`protocols.md` 6). */
export const FRAME_BYTES_MAX = 256 * 1024
export const MEMBERS_MAX = 4_096
