/** `shoal status`: one line that says whether all is well, then what a person may want next. */
import type { StatusView, Trouble } from '../../api/types.ts'
import { EXIT } from '../../errors.ts'
import type { Context } from '../context.ts'
import { AlreadySaid } from '../failure.ts'
import { type Format, painter, printData } from '../output.ts'
import { ago, duration, plain, plural } from '../text.ts'

const WAITS_SHOWN_MAX = 3

/** `mustBeWell`: ends with the exit code for `not converged` unless it is, whatever the format. */
export async function status(context: Context, format: Format, mustBeWell: boolean): Promise<void> {
  const view = await context.client.status(context.signal)
  const { terminal } = context
  const head = headline(view, Date.now())
  const isWell = head.startsWith('OK')
  if (format === 'json' || format === 'yaml') await printData(terminal, format, view)
  else terminal.stdout.write(`${painter(terminal)(isWell ? 'good' : 'bad', head)}\n`)
  if (format === 'table' || format === 'wide')
    for (const line of details(view)) terminal.stdout.write(`${line}\n`)
  if (mustBeWell && !isWell) throw new AlreadySaid(EXIT.notConverged)
}

/** `OK: 4 nodes, 23 replicas`, or `NOT OK: what, since when; what moved, what waits; do: what`. */
export function headline(view: StatusView, now: number): string {
  const nodes = plural(view.members.alive, 'node')
  const { desired, running, pending } = view.workloads
  const hasTrouble = view.notOk.length > 0 || view.alarms.length > 0 || view.brake !== null
  if (view.converged && !hasTrouble) return `OK: ${nodes}, ${plural(running, 'replica')}`
  const troubles = view.notOk.map(one => troubleText(one, now))
  if (view.brake !== null) troubles.push(`takeovers are paced: ${plain(view.brake)}`)
  if (view.alarms.length > 0) troubles.push(`alarm: ${plain(view.alarms[0] ?? '')}`)
  if (troubles.length === 0)
    troubles.push(
      `settling: ${running} of ${plural(desired, 'replica')} run on ${nodes}` +
        (pending > 0 ? `, ${pending} pending` : '')
    )
  return `NOT OK: ${troubles.join(' | ')}`
}

function troubleText(trouble: Trouble, now: number): string {
  const since = ago(trouble.since, now)
  const what = plain(trouble.what) + (since === '' ? '' : ` for ${since}`)
  const waits = trouble.waits.slice(0, WAITS_SHOWN_MAX).map(plain).join(', ')
  const count = trouble.waits.length
  const fate = [
    ...(trouble.moved > 0 ? [`${trouble.moved} moved`] : []),
    ...(count > 0 ? [`${count} ${count === 1 ? 'waits' : 'wait'}: ${waits}`] : [])
  ]
  return [
    what,
    ...(fate.length > 0 ? [fate.join(', ')] : []),
    ...(trouble.do.length > 0 ? [`do: ${trouble.do.map(plain).join(', or ')}`] : [])
  ].join('; ')
}

function details(view: StatusView): string[] {
  const { alive, suspect, dead } = view.members
  const { desired, running, pending } = view.workloads
  const { disks, wanted } = view.durable
  return [
    `node       ${plain(view.self.name)} (${plain(view.self.id)}), shoal ${plain(view.version)}`,
    `mesh       ${plain(view.mesh)}`,
    `members    ${alive} alive, ${suspect} suspect, ${dead} dead`,
    `replicas   ${running} of ${desired} run, ${pending} pending`,
    `view       ${plain(view.viewHash).slice(0, 16)}, ` +
      `${view.converged ? 'settled' : 'not settled yet'}, ` +
      `changed ${duration(view.viewAgeMs)} ago`,
    `durable    ${disks < wanted ? 'not yet ' : ''}(${disks}/${wanted} disks)`,
    ...view.alarms.map(alarm => `alarm      ${plain(alarm)}`)
  ]
}
