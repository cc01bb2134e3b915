/**
 * Completes package-lock.json with the packages of other platforms: `npm run lock`. A registry that
 * carries only this platform's packages makes npm leave the others out of the lock file, and then
 * `npm ci` refuses it everywhere. Their versions stand in `optionalDependencies`; what they run on
 * stands in their names. Run it after every `npm install` that changed the lock file.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

interface Locked {
  version?: string
  integrity?: string
  cpu?: string[]
  dev?: boolean
  libc?: string[]
  optional?: boolean
  os?: string[]
  optionalDependencies?: Record<string, string>
}

const LOCK = fileURLToPath(new URL('../package-lock.json', import.meta.url))
const SYSTEMS = 'android darwin linux win32 freebsd netbsd openbsd openharmony sunos aix'.split(' ')
const CPUS = 'arm64 arm x64 ia32 ppc64 riscv64 s390x loong64 mips64el'.split(' ')

/** Where Node would look for a package from within another one, nearest first. */
function places(from: string, name: string): string[] {
  const parts = from.split('/node_modules/')
  const found: string[] = []
  for (let count = parts.length; count > 0; count--)
    found.push(`${parts.slice(0, count).join('/node_modules/')}/node_modules/${name}`)
  return [...found, `node_modules/${name}`]
}

function platformOf(name: string): { os: string[]; cpu: string[]; libc?: string[] } {
  const words = name.split(/[/-]/)
  const os = SYSTEMS.filter(system => words.includes(system))
  const cpu = CPUS.filter(one => words.includes(one))
  const libc = os[0] !== 'linux' ? [] : words.some(word => word.startsWith('musl')) ? ['musl'] : []
  if (os.length !== 1 || cpu.length !== 1) throw new Error(`${name} does not name its platform`)
  return { os, cpu, ...(libc.length === 0 ? {} : { libc }) }
}

const lock = JSON.parse(readFileSync(LOCK, 'utf8')) as { packages: Record<string, Locked> }
let added = 0
for (const [path, { dev, optionalDependencies }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies ?? {})) {
    if (places(path, name).some(place => lock.packages[place] !== undefined)) continue
    const { cpu, libc, os } = platformOf(name)
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu,
      ...(dev === true ? { dev } : {}),
      ...(libc === undefined ? {} : { libc }),
      optional: true,
      os
    }
    added += 1
  }
}
const sorted = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en'))
writeFileSync(
  LOCK,
  `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`
)
process.stdout.write(`${added} packages of other platforms added to package-lock.json\n`)
