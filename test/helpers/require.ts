/**
 * What a test needs from the machine. A missing thing skips the test, loudly; where
 * `SHOAL_REQUIRE` names it (CI: `docker,root`), it fails instead.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export type Requirement = 'root' | 'docker' | 'corpus' | 'linux'

/** Real Compose and Kubernetes files of others, beside the checkout; not part of the project. */
export const CORPUS = fileURLToPath(new URL('../../../shared/corpus/', import.meta.url))

function onPath(program: string): boolean {
  try {
    execFileSync('/bin/sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const CHECKS: Record<Requirement, () => string | undefined> = {
  linux: () => (process.platform === 'linux' ? undefined : 'needs Linux'),
  root: () =>
    process.getuid?.() === 0 && onPath('ip') && onPath('iptables')
      ? undefined
      : 'needs root, iproute2 and iptables',
  docker: () =>
    process.getuid?.() === 0 && onPath('dockerd') && onPath('busybox')
      ? undefined
      : 'needs root, dockerd and a static busybox',
  corpus: () =>
    existsSync(CORPUS) ? undefined : 'the corpus of real files is not beside this checkout'
}

const cache = new Map<Requirement, string | undefined>()

function lacking(requirement: Requirement): string | undefined {
  if (!cache.has(requirement)) cache.set(requirement, CHECKS[requirement]())
  return cache.get(requirement)
}

/** Why a test cannot run here: `skip`, or `fail` where it must. Neither when it can. */
export function missing(requires: readonly Requirement[]): { skip?: string; fail?: string } {
  const required = new Set((process.env['SHOAL_REQUIRE'] ?? '').split(','))
  for (const requirement of requires) {
    const reason = lacking(requirement)
    if (reason === undefined) continue
    return required.has(requirement)
      ? { fail: `SHOAL_REQUIRE=${requirement}: ${reason}` }
      : { skip: reason }
  }
  return {}
}
