/** The agent's knobs (`protocols.md` 4, Defaults). All in milliseconds of the caller's clock. */

export interface AgentConfig {
  /** A free slot is claimed once its owner has not changed for so long. Longer: fewer claims that
   * are taken back while a death is still spreading. Must exceed the spread of one alert. */
  readonly settleMs: number
  /** A slot that nobody ever had waits so long for members that came and have not said yet what
   * they have: nodes that know different members would each claim it. */
  readonly infoWaitMs: number
  /** A slot with local data that nobody ever had, as far as we know, waits until every member has
   * been there for so long: one that came may hold it already. Must exceed a repair. */
  readonly dataWaitMs: number
  /** A view is said to the others once it has stood for so long. Longer: fewer messages while
   * members come and go, and a later `converged` and `noClaim`. */
  readonly viewSettleMs: number
  /** How long the next in rank waits for a due owner before it writes `noClaim`. */
  readonly claimTimeoutMs: number
  /** As `claimTimeoutMs`, for an owner that lives but does not say that it sees what we see: its
   * disk may be full. Must exceed a repair, for its word may be on the way. */
  readonly ownerSilentMs: number
  /** How long two copies that do not fit together wait before the worse-ranked breaks first. */
  readonly handoverMs: number
  /** Rebalancing moves that this node takes over a minute. Failover is never paced by this. */
  readonly movesPerMinute: number
  /** Rebalancing (not failover) waits until a seat has been stable for so long. */
  readonly stableAfterMs: number
  /** A silent rival loses the right to name its run time after so long. */
  readonly duelSilenceMs: number
  /** Running for so long without a health check counts as healthy. */
  readonly healthyAfterMs: number
  /** Brake: how long the view must have been stable to count as "the last stable membership". */
  readonly brakeWindowMs: number
  readonly brakeLiftMs: number
  /** Between two takeovers while the brake is on. */
  readonly brakeStepMs: number
  /** First retry once every eligible node has failed; doubles up to `retryMaxMs`. */
  readonly retryMinMs: number
  readonly retryMaxMs: number
  /** Crash loops: first restart delay; doubles up to `restartMaxMs`; forgotten after a run of
   * `restartResetMs`. */
  readonly restartMinMs: number
  readonly restartMaxMs: number
  readonly restartResetMs: number
  /** Instances with our mark but without a known workload are stopped after so long (S9). */
  readonly orphanMs: number
  /** Without any peer that answers, act on the persisted state after so long. */
  readonly syncWaitMs: number
}

export const DEFAULT_AGENT_CONFIG: AgentConfig = {
  settleMs: 300,
  infoWaitMs: 2_000,
  dataWaitMs: 3_000,
  viewSettleMs: 500,
  claimTimeoutMs: 2_000,
  ownerSilentMs: 8_000,
  handoverMs: 60_000,
  movesPerMinute: 6,
  stableAfterMs: 10_000,
  duelSilenceMs: 3_000,
  healthyAfterMs: 1_000,
  brakeWindowMs: 60_000,
  brakeLiftMs: 60_000,
  brakeStepMs: 1_000,
  retryMinMs: 10_000,
  retryMaxMs: 300_000,
  restartMinMs: 1_000,
  restartMaxMs: 300_000,
  restartResetMs: 60_000,
  orphanMs: 5_000,
  syncWaitMs: 3_000
}

export const AGENT_PRESETS = {
  lan: DEFAULT_AGENT_CONFIG,
  fast: { ...DEFAULT_AGENT_CONFIG, settleMs: 150, infoWaitMs: 1_000, viewSettleMs: 250 },
  wan: {
    ...DEFAULT_AGENT_CONFIG,
    settleMs: 1_000,
    infoWaitMs: 4_000,
    dataWaitMs: 10_000,
    claimTimeoutMs: 5_000,
    ownerSilentMs: 20_000,
    syncWaitMs: 10_000
  }
} as const satisfies Record<string, AgentConfig>
