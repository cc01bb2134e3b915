/**
 * Waits until replicas are as they should be, or cannot be: the loop behind deploy, scale and rm.
 * `judge` is the pure part: what the allocations mean for what was asked.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AllocationView, ChangeAnswer } from '../api/types.ts'
import type { Context } from './context.ts'
import { Progress } from './progress.ts'
import { plain } from './text.ts'

/** One workload as it should become. */
export interface Target {
  readonly project: string
  readonly name: string
  readonly generation: string
  /** 0 for a removed one. */
  readonly replicas: number
}

export type Verdict =
  | { readonly kind: 'done' }
  | { readonly kind: 'waiting' }
  /** It will not become well by waiting. `settled`: all else is done. */
  | { readonly kind: 'failed'; readonly allocation: AllocationView }
  | { readonly kind: 'unplaceable'; readonly pending: readonly AllocationView[] }

export type Outcome = Verdict | { readonly kind: 'timeout' }

const POLL_MS = 200
/** A reason must stand so long before it counts: claims and rolls pass through short ones. */
const STANDS_MS = 4_000
const CRASHES_MAX = 3
const CRASH_LOOP = /^exited with code \S+ (\d+) times/
const COMPLETED = /^ended with code 0\b/

export function targetsOf(answer: ChangeAnswer): readonly Target[] {
  // Of what was done before and has ended since, nothing is left to wait for.
  const present = answer.changes.filter(one => one.change !== 'repeated' || one.generation !== '')
  return present.map(one => ({
    project: one.project,
    name: one.name,
    generation: one.generation,
    replicas: one.change === 'removed' ? 0 : one.replicas
  }))
}

/** Asks again and again, showing each replica, until there is a verdict or the time is up. */
export async function waitFor(
  context: Context,
  targets: readonly Target[],
  init: { readonly timeoutMs: number; readonly quiet: boolean }
): Promise<Outcome> {
  const progress = new Progress(context.terminal)
  const lines = new ReplicaLines()
  const judge = new Judge()
  const deadline = performance.now() + init.timeoutMs
  const projects = [...new Set(targets.map(target => target.project))]
  const project = projects.length === 1 ? projects[0] : undefined
  try {
    for (;;) {
      const all = await context.client.allocations({ all: true, project }, context.signal)
      const mine = all.filter(one => targetOf(targets, one) !== undefined)
      if (!init.quiet) progress.show(lines.of(mine))
      const verdict = judge.verdict(targets, mine, performance.now())
      if (verdict.kind !== 'waiting') return verdict
      if (performance.now() >= deadline) return { kind: 'timeout' }
      await sleep(POLL_MS, undefined, { signal: context.signal })
    }
  } catch (error) {
    // The timer's own AbortError hides why.
    if (context.signal.aborted) throw context.signal.reason
    throw error
  } finally {
    progress.end()
  }
}

function targetOf(targets: readonly Target[], one: AllocationView): Target | undefined {
  return targets.find(target => target.project === one.project && target.name === one.workload)
}

/** A line per replica; what runs elsewhere than it did is said to have moved. */
export class ReplicaLines {
  readonly #first = new Map<string, { readonly nodeId: string | null; readonly node: string }>()

  /** `web/0   mini-1   starting   reason`. */
  of(all: readonly AllocationView[]): readonly string[] {
    for (const one of all)
      if (one.node !== null && !this.#first.has(slotOf(one)))
        this.#first.set(slotOf(one), { nodeId: one.nodeId, node: one.node })
    return all.map(one => {
      const from = this.#first.get(slotOf(one))
      const runs = one.state === 'running' || one.state === 'healthy'
      const hasMoved = runs && from !== undefined && from.nodeId !== one.nodeId
      const moved = hasMoved ? `  moved to ${one.node ?? '-'} from ${from.node}` : ''
      const reason = one.reason === '' ? '' : `  ${one.reason}`
      const name = `${one.workload}/${one.slot}`.padEnd(16)
      return plain(`${name}  ${(one.node ?? '-').padEnd(12)}  ${one.state}${moved}${reason}`)
    })
  }
}

function slotOf(one: AllocationView): string {
  return `${one.project}/${one.workload}/${one.slot}`
}

/** Remembers how long things stand, so that a passing state is not taken for the last word. */
export class Judge {
  #since = new Map<string, { readonly text: string; readonly atMs: number }>()

  verdict(targets: readonly Target[], all: readonly AllocationView[], nowMs: number): Verdict {
    const left = targets.flatMap(target => this.#open(target, all))
    if (left.length === 0) return { kind: 'done' }
    // What is removed may fail, and so may what the new template is about to replace.
    const isWanted = (one: AllocationView): boolean => {
      const target = targetOf(targets, one)
      return target !== undefined && target.replicas > 0 && target.generation === one.generation
    }
    const crash = all.find(one => isWanted(one) && isCrashLoop(one))
    if (crash !== undefined) return { kind: 'failed', allocation: crash }
    const known = left.filter(one => one !== undefined)
    this.#note(known, nowMs)
    const failed = known.find(
      one => one.state === 'failed' && isWanted(one) && this.#stands(one, nowMs)
    )
    if (failed !== undefined) return { kind: 'failed', allocation: failed }
    const isStuck = (one: AllocationView | undefined): boolean =>
      one?.state === 'pending' && one.reason !== '' && this.#stands(one, nowMs)
    if (left.every(isStuck)) return { kind: 'unplaceable', pending: known }
    return { kind: 'waiting' }
  }

  /** What a target still lacks: an allocation that is not right yet, or undefined for a slot
   * of which nothing is known. */
  #open(target: Target, all: readonly AllocationView[]): (AllocationView | undefined)[] {
    const mine = all.filter(one => one.project === target.project && one.workload === target.name)
    if (target.replicas === 0) return mine.filter(one => one.state !== 'pending')
    const right = new Map<number, AllocationView>()
    for (const one of mine)
      if (isRight(one, target) && !right.has(one.slot)) right.set(one.slot, one)
    // A slot that is right may still have copies that failed or stop elsewhere.
    const isOver = (one: AllocationView): boolean =>
      right.has(one.slot) && (one.state === 'failed' || one.state === 'stopping')
    const open: (AllocationView | undefined)[] = mine.filter(
      one => right.get(one.slot) !== one && !isOver(one)
    )
    const lacking = target.replicas - right.size
    while (open.length < lacking) open.push(undefined)
    // Which copies are too many is the nodes' to say: slot numbers need not end at the count.
    for (let surplus = -lacking; surplus > 0; surplus--) open.push(undefined)
    return open
  }

  /** What is gone, or says something else, starts anew when it comes back. */
  #note(all: readonly AllocationView[], nowMs: number): void {
    const before = this.#since
    this.#since = new Map(
      all.map(one => {
        const text = `${one.state} ${one.reason}`
        const known = before.get(keyOf(one))
        return [keyOf(one), known?.text === text ? known : { text, atMs: nowMs }]
      })
    )
  }

  #stands(one: AllocationView, nowMs: number): boolean {
    const since = this.#since.get(keyOf(one))
    return since !== undefined && nowMs - since.atMs >= STANDS_MS
  }
}

function isRight(one: AllocationView, target: Target): boolean {
  if (one.generation !== target.generation) return false
  return one.state === 'healthy' || (one.state === 'failed' && COMPLETED.test(one.reason))
}

function isCrashLoop(one: AllocationView): boolean {
  return Number(CRASH_LOOP.exec(one.reason)?.[1] ?? 0) >= CRASHES_MAX
}

function keyOf(one: AllocationView): string {
  return `${slotOf(one)}/${one.nodeId ?? ''}`
}
