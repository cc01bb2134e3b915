/**
 * A negative control: the product with one rule broken, which a check must notice. A checker that
 * cannot fail proves nothing (`promises.md` 2.1). The product has no switches: its text is changed
 * while it is bundled (`build.ts`).
 */

export interface Edit {
  /** From the top of the repository. */
  readonly file: string
  /** Must occur exactly once: a refactoring has to bring its controls along. */
  readonly find: string
  readonly replace: string
}

export interface Control {
  /** What is broken, as a sentence. */
  readonly name: string
  readonly edits: readonly Edit[]
  /** Names of the checks that must notice; any one of them does. */
  readonly caughtBy: readonly [string, ...string[]]
  /** The first that notices, as `npm run sim:controls` found it; CI runs only this one. */
  readonly seed: number
  readonly minutes: number
  /** As drawn by the seed when absent. */
  readonly nodes?: number
}

/** Seeds within which each must be caught. */
export const SEEDS_MAX = 1_000
