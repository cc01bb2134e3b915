/** Timers are data; a stale one is recognised by its token or its subject and falls through. */
import type { NodeId } from '../types.ts'

export type ReplicationTimer =
  /** Own commands were gathered long enough. */
  | { readonly kind: 'flush' }
  /** Anti-entropy with a random peer. Only the newest token counts. */
  | { readonly kind: 'repair'; readonly token: number }
  /** Anti-entropy with a peer that was met a moment ago. */
  | { readonly kind: 'greet'; readonly peer: NodeId; readonly token: number }
  /** A write still waits for disks: ask others, or give up waiting. */
  | { readonly kind: 'store'; readonly write: string; readonly token: number }
