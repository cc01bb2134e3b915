/** What may be done to a runtime, as data that can describe itself (`style.md` 4.16). */
import type { RuntimeName, WorkloadSpec } from '../../src/spec/workload.ts'
import type { InstanceMark } from './instance.ts'

export type Action =
  | {
      readonly kind: 'start'
      readonly runtime: RuntimeName
      readonly spec: WorkloadSpec
      readonly mark: InstanceMark
      /** Volumes and paths that must be here: it has written to them. */
      readonly data: readonly string[]
    }
  | {
      readonly kind: 'restart'
      readonly runtime: RuntimeName
      readonly instance: string
      readonly mark: InstanceMark
    }
  | {
      readonly kind: 'stop'
      readonly runtime: RuntimeName
      readonly instance: string
      readonly mark: InstanceMark
      readonly graceMs: number
      readonly signal: string
      readonly why: string
    }

/** One line, the same in `--dry-run`, logs and tests. */
export function describe(action: Action): string {
  const { project, workload, slot } = action.mark
  const what = `${project}/${workload}/${slot}`
  switch (action.kind) {
    case 'start':
      return `start ${what} (${action.runtime}, generation ${action.mark.generation})`
    case 'restart':
      return `restart ${what} (${action.runtime} ${action.instance.slice(0, 12)})`
    case 'stop':
      return `stop ${what} (${action.runtime} ${action.instance.slice(0, 12)}): ${action.why}`
  }
}
