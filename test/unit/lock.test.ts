/** The lock file installs on the oldest Node that is promised, from any registry. */

import { satisfies } from 'semver'
import { equal, ok } from 'uvu/assert'
import { readSource } from '../helpers/source.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('lock')
const OLDEST_NODE = '20.19.0'

interface LockedPackage {
  readonly version?: string
  readonly engines?: { readonly node?: string }
  readonly resolved?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const lock = JSON.parse(readSource('package-lock.json')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>
}
const packages = Object.entries(lock.packages)

test(`every package admits Node ${OLDEST_NODE}`, () => {
  ok(packages.length > 100)
  const refusing = packages
    .filter(([, { engines }]) => engines?.node !== undefined)
    .filter(([, { engines }]) => !satisfies(OLDEST_NODE, engines?.node ?? '*'))
    .map(([path, { version, engines }]) => `${path} ${version} wants ${engines?.node}`)
  equal(refusing, [])
})

test('no registry host is written down', () => {
  equal(
    packages.filter(([, { resolved }]) => resolved?.includes('://')).map(([path]) => path),
    []
  )
})

test('packages of other platforms are in it, or npm ci refuses it', () => {
  const locked = packages.map(([path]) => path)
  const wanted = packages.flatMap(([, row]) => Object.keys(row.optionalDependencies ?? {}))
  const missing = wanted.filter(name => !locked.some(path => path.endsWith(`node_modules/${name}`)))
  equal(missing, [], 'npm run lock adds them')
})

test('one version each of what must not be there twice', () => {
  // Two copies of these mean two classes of one name, and instanceof and private fields that fail.
  const single = [
    'libp2p',
    '@libp2p/interface',
    'multiformats',
    'classic-level',
    'zod',
    'dockerode'
  ]
  for (const name of single) {
    const copies = packages.filter(([path]) => path.endsWith(`node_modules/${name}`))
    equal(copies.length, 1, `${name}: ${copies.map(([path]) => path).join(', ')}`)
  }
})

test.run()
