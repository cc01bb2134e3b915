/** The version of this program: put in by the bundler, else read from package.json. */

const MANIFESTS = ['../../package.json', '../../../package.json']

export function version(): string {
  const built = process.env['SHOAL_VERSION']
  if (built !== undefined) return built
  // Not imported: in the bundle it is never needed, and its streams cost 3 ms at each start.
  const { readFileSync } = process.getBuiltinModule('node:fs')
  for (const path of MANIFESTS) {
    try {
      const text = readFileSync(new URL(path, import.meta.url), 'utf8')
      const manifest = JSON.parse(text) as { name?: string; version?: string }
      if (manifest.name === 'shoal' && manifest.version !== undefined) return manifest.version
    } catch {
      // not there: the other layout
    }
  }
  return '0.0.0'
}

/** Set when two versions differ in what the wire may carry: who should update. B43. */
export function versionSkew(mine: string, theirs: string): string | undefined {
  const a = parts(mine)
  const b = parts(theirs)
  if (a === undefined || b === undefined || (a[0] === b[0] && a[1] === b[1])) return undefined
  const cliIsOlder = a[0] < b[0] || (a[0] === b[0] && a[1] < b[1])
  const older = cliIsOlder ? 'shoal here' : 'the daemon'
  return `this shoal is ${mine}, the daemon is ${theirs}: update ${older}`
}

function parts(text: string): readonly [number, number] | undefined {
  const match = /^(\d+)\.(\d+)\./.exec(text)
  return match === null ? undefined : [Number(match[1]), Number(match[2])]
}
