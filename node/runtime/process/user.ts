/**
 * Running a workload as somebody else: only root can, and by `setpriv`, which becomes the program
 * instead of waiting for it as `su` does.
 */
import { constants } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { RuntimeFailure } from '../runtime.ts'

export interface Account {
  readonly uid: number
  readonly gid: number
  /** Known when the user was named, so that its further groups can be had. */
  readonly name: string | undefined
  readonly home: string | undefined
}

const NUMBER_PATTERN = /^\d{1,10}$/

async function rows(path: string): Promise<readonly (readonly string[])[]> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.split('\n').map(line => line.split(':'))
}

/**
 * `name`, `uid`, `name:group`, `uid:gid`. Undefined when the daemon runs as that user already or
 * none is asked for. Throws a permanent `RuntimeFailure` for an unknown one, and when not root.
 */
export async function findAccount(user: string | undefined): Promise<Account | undefined> {
  if (user === undefined || user === '') return undefined
  const [who = '', group] = user.split(':')
  const users = await rows('/etc/passwd')
  const numeric = NUMBER_PATTERN.test(who)
  const row = users.find(fields => fields[numeric ? 2 : 0] === who)
  if (row === undefined && !numeric)
    throw new RuntimeFailure('permanent', `user ${who} does not exist on this node`)
  const uid = Number(row?.[2] ?? who)
  const gid = group === undefined ? Number(row?.[3] ?? 0) : await findGroup(group)
  if (uid === process.getuid?.() && gid === process.getgid?.()) return undefined
  if (process.getuid?.() !== 0)
    throw new RuntimeFailure(
      'permanent',
      `user ${user}: only a daemon run by root can switch users`
    )
  return { uid, gid, name: group === undefined ? row?.[0] : undefined, home: row?.[5] }
}

async function findGroup(group: string): Promise<number> {
  if (NUMBER_PATTERN.test(group)) return Number(group)
  const row = (await rows('/etc/group')).find(fields => fields[0] === group)
  if (row === undefined)
    throw new RuntimeFailure('permanent', `group ${group} does not exist on this node`)
  return Number(row[2])
}

/** The words to put before a command. Throws when `setpriv` is missing. */
export async function switchUser(account: Account | undefined): Promise<readonly string[]> {
  if (account === undefined) return []
  const places = (process.env['PATH'] ?? '/usr/bin:/bin').split(delimiter)
  for (const place of places) {
    const path = join(place, 'setpriv')
    try {
      await access(path, constants.X_OK)
    } catch {
      continue
    }
    const groups = account.name === undefined ? '--clear-groups' : '--init-groups'
    return [path, `--reuid=${account.uid}`, `--regid=${account.gid}`, groups, '--']
  }
  throw new RuntimeFailure('permanent', 'switching users needs setpriv (package util-linux)')
}
