/**
 * Knobs of membership and their three presets. All times are milliseconds on the awake clock, all
 * nodes of a mesh use the same preset.
 */
import { assert } from '../assert.ts'
import type { BootId } from '../types.ts'

export interface MembershipKnobs {
  /**
   * Between two heartbeats to each observer. Bounds: 100 to 10,000. Cost: K * 460 bytes a beat
   * on the wire (`membership.md` C0). Rule of thumb: a quarter of `silenceDeadMs` or less.
   */
  readonly heartbeatMs: number
  /**
   * Silence after which an observer asks others. Above `heartbeatMs`, or it asks about the
   * healthy: heartbeatMs + a retransmission (200 to 400 ms) + scheduling noise. SWIM's
   * "protocol period". Rule of thumb: 1.75 * heartbeatMs.
   */
  readonly silenceSuspectMs: number
  /**
   * Silence, with knocks unanswered, after which an observer reports a death. At least
   * silenceSuspectMs + 2 * probeMs, so that asking and one knock end before. A host's death is
   * seen between silenceDeadMs - heartbeatMs and silenceDeadMs + tickMs + one way of the network.
   * Rule of thumb: the longest loss of packets that is no failure.
   */
  readonly silenceDeadMs: number
  /** How long answers of other observers, and of a knock, are waited for. Two round trips. */
  readonly probeMs: number
  /** Between two knocks at a suspect. At least the executor's knock time-out. */
  readonly knockMs: number
  /** A refused knock kills after so long: the time a daemon needs to come up again. */
  readonly restartGraceMs: number
  /** A port that accepts while its daemon is silent kills after so long of silence. Above any
   * pause (SIGSTOP, a stalled disk) that is to be survived. */
  readonly frozenMs: number
  /** Without any peer for so long after the start, a node goes on alone. */
  readonly aloneMs: number
  /** Resolution of judging, at most 250. The awake clock advances by at most 250 an input. */
  readonly tickMs: number
  /** Originators of alerts count as my side for so long. Two beacons and a half. */
  readonly sideMs: number
  /** Between two beacons while a subject is silent. */
  readonly beaconMs: number
  /** A death waits at most so long for others that are about to be reported. */
  readonly batchMs: number
  /** The observer graph is kept as it is for at most so long while there are suspects. Above
   * silenceDeadMs + batchMs. */
  readonly freezeMs: number
  /** Alerts after the first of an episode are gathered for so long. */
  readonly coalesceMs: number
  /** Between two repairs of the roster with a random peer. */
  readonly repairMs: number
  /** Up to so many members each keeps a link to each. */
  readonly fullMeshMax: number
}

export interface MembershipConfig extends MembershipKnobs {
  /** Drawn anew at each start. */
  readonly boot: BootId
  readonly name: string
  /** Multiaddrs without `/p2p/`, best first, as others shall dial us. */
  readonly addresses: readonly string[]
}

export type MembershipPreset = 'fast' | 'lan' | 'wan'

const LAN: MembershipKnobs = {
  heartbeatMs: 1_000,
  silenceSuspectMs: 1_750,
  silenceDeadMs: 4_000,
  probeMs: 500,
  knockMs: 500,
  restartGraceMs: 1_500,
  frozenMs: 10_000,
  aloneMs: 500,
  tickMs: 200,
  sideMs: 2_500,
  beaconMs: 1_000,
  batchMs: 1_200,
  freezeMs: 8_000,
  coalesceMs: 50,
  repairMs: 5_000,
  fullMeshMax: 64
}

export const MEMBERSHIP_PRESETS: Readonly<Record<MembershipPreset, MembershipKnobs>> = {
  /** One switch, idle machines: pays with twice the heartbeats, forgives 1 s of lost packets. */
  fast: {
    ...LAN,
    heartbeatMs: 500,
    silenceSuspectMs: 900,
    silenceDeadMs: 2_000,
    probeMs: 300,
    frozenMs: 6_000,
    tickMs: 50,
    sideMs: 1_250,
    beaconMs: 500,
    batchMs: 600
  },
  lan: LAN,
  /** Several sites: round trips up to 300 ms and outages of some seconds are no failure. */
  wan: {
    ...LAN,
    heartbeatMs: 3_000,
    silenceSuspectMs: 6_000,
    silenceDeadMs: 15_000,
    probeMs: 1_500,
    knockMs: 1_000,
    restartGraceMs: 3_000,
    frozenMs: 20_000,
    aloneMs: 1_500,
    sideMs: 7_500,
    beaconMs: 3_000,
    batchMs: 3_000,
    freezeMs: 25_000,
    coalesceMs: 100
  }
}

export interface MembershipIdentity {
  readonly boot: BootId
  readonly name: string
  readonly addresses: readonly string[]
}

/** A preset made complete. Asserts that the knobs fit together. */
export function membershipConfig(
  preset: MembershipPreset,
  identity: MembershipIdentity,
  overrides: Partial<MembershipKnobs> = {}
): MembershipConfig {
  const config = { ...MEMBERSHIP_PRESETS[preset], ...overrides, ...identity }
  assert(config.tickMs > 0 && config.tickMs <= 250, 'tickMs is 1 to 250')
  assert(config.heartbeatMs < config.silenceSuspectMs, 'silence is longer than a heartbeat')
  assert(
    config.silenceSuspectMs + 2 * config.probeMs <= config.silenceDeadMs,
    'asking ends before death'
  )
  assert(config.silenceDeadMs < config.frozenMs, 'a frozen daemon is given longer than a host')
  assert(config.silenceDeadMs + config.batchMs < config.freezeMs, 'the graph outlasts a batch')
  return config
}

/** How long a member stays outside of my side before it is dead (`protocols.md` 2.5). */
export function outsideMs(knobs: MembershipKnobs): number {
  return knobs.silenceDeadMs - knobs.silenceSuspectMs - knobs.probeMs
}
