/**
 * Which paths of a node a file may mount. This is the reader's part (`promises.md` T19): forms
 * that climb out of the project and paths of the system are refused before anything is sent. The
 * node that runs the workload has the last word; symbolic links can be checked only there.
 */
import { isAbsolute, normalize, resolve } from 'node:path'

/** With everything below them. */
const SYSTEM_PATHS = [
  '/bin',
  '/boot',
  '/dev',
  '/etc',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/proc',
  '/root',
  '/run',
  '/sbin',
  '/sys',
  '/usr',
  '/var/lib/containerd',
  '/var/lib/containers',
  '/var/lib/docker',
  '/var/lib/kubelet',
  '/var/lib/shoal',
  '/var/run'
]
/** Alone: what is below them may be mounted. */
const ROOT_PATHS = ['/', '/home', '/mnt', '/media', '/opt', '/srv', '/tmp', '/var', '/var/lib']
const SOCKETS = /\/(?:docker|containerd|podman|crio|shoal)\.sock$/

export function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith('/') ? root : `${root}/`)
}

export type BindVerdict =
  | { readonly ok: true; readonly source: string }
  | { readonly ok: false; readonly source: string; readonly hint: string }

export interface BindQuestion {
  readonly source: string
  /** Absolute; undefined when the file came from standard input. */
  readonly directory: string | undefined
  /** Roots allowed by name; undefined: everything but system paths. */
  readonly roots: readonly string[] | undefined
}

/** `./data`, `../data`, `~/data`, `/data`: a path, not the name of a volume. */
export function looksLikePath(source: string): boolean {
  return source.startsWith('/') || source.startsWith('.') || source.startsWith('~')
}

/** The absolute path that is mounted, or why it is not. */
export function resolveBind(question: BindQuestion): BindVerdict {
  const { source, directory, roots } = question
  if (source.startsWith('~'))
    return { ok: false, source, hint: 'write the whole path: the home differs on other nodes' }
  const absolute = isAbsolute(source)
  if (!absolute && directory === undefined)
    return { ok: false, source, hint: 'a relative path needs a file, not standard input' }
  const path = trimSlash(normalize(resolve(directory ?? '/', source)).replace(/^\/+/, '/'))
  const allowed = (roots ?? []).find(root => isBelow(path, trimSlash(normalize(root))))
  if (allowed !== undefined && path !== '/') return { ok: true, source: path }
  if (directory !== undefined && directory !== '/' && isBelow(path, directory))
    return { ok: true, source: path }
  if (!absolute)
    return { ok: false, source: path, hint: `a relative path stays below ${directory}` }
  if (roots !== undefined)
    return { ok: false, source: path, hint: `allowed: ${[directory, ...roots].join(', ')}` }
  const system = SYSTEM_PATHS.find(root => isBelow(path, root))
  if (system !== undefined || ROOT_PATHS.includes(path) || SOCKETS.test(path))
    return { ok: false, source: path, hint: 'paths of the system are not mounted' }
  return { ok: true, source: path }
}

function trimSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}
