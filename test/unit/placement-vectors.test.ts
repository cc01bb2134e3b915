/**
 * Golden vectors: another platform, another engine or a refactoring that gives one other bit is
 * caught here. `SHOAL_UPDATE_FIXTURES=1` writes them anew, which splits every running mesh: raise
 * the placement version with it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { equal, is, ok } from 'uvu/assert'
import { ceilToGrid, loadBound } from '../../placement/capacity.ts'
import { draw, hash64, hex64, saltKey, slotDraw } from '../../placement/hash.ts'
import { assign, assignmentDigest, type PlacementInput, viewHash } from '../../placement/index.ts'
import { exponential, rank } from '../../placement/rank.ts'
import { item, node, view } from '../helpers/placement-mesh.ts'
import { makeMesh } from '../helpers/placement-scale.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('placement: golden vectors')

function golden(name: string, actual: unknown): void {
  const url = new URL(`../fixtures/placement/${name}.json`, import.meta.url)
  const text = `${JSON.stringify(actual, null, 1)}\n`
  if (process.env['SHOAL_UPDATE_FIXTURES'] === '1') writeFileSync(url, text)
  equal(JSON.parse(readFileSync(url, 'utf8')), JSON.parse(text), name)
}

const TEXTS = ['', 'a', 'ab', 'abc', 'node-1', '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXw', 'ü€😀']
const DRAWS = [0, 1, 2, 1_000, 65_535, 1 << 20, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1]

test('the hash is HalfSipHash-2-4-64: the vectors of its authors', () => {
  const key = { low: 0x03020100, high: 0x07060504 }
  const bytes = (count: number): string => {
    let text = ''
    for (let i = 0; i < count; i += 2) text += String.fromCharCode(i | ((i + 1) << 8))
    return text
  }
  const littleEndian = (low: number, high: number): string =>
    hex64(low, high).match(/../g)!.reverse().join('')
  const official: readonly (readonly [number, string])[] = [
    [0, '218d1f59b9b83cc8'],
    [2, '064f39ef7c50eb57'],
    [4, 'd5e78a175be52ea1'],
    [8, 'edfee820bce4858c'],
    [14, '3bb1a870eae8e658'],
    [30, '291aaf864898179d']
  ]
  for (const [length, want] of official) {
    const got = hash64(bytes(length), key)
    is(littleEndian(got.low, got.high), want, `${length} bytes`)
  }
})

test('hashes and draws are the recorded ones', () => {
  golden('hash', {
    hashes: ['mesh', 'other'].flatMap(salt =>
      TEXTS.map(text => {
        const { low, high } = hash64(text, saltKey(salt))
        return { salt, text, hash: hex64(low, high) }
      })
    ),
    draws: [0, 1, -1, 123_456_789].flatMap(a => [0, 7, -99].map(b => ({ a, b, draw: draw(a, b) }))),
    slots: [0, 1, 2, 999].map(slot => ({ slot, draw: slotDraw(12_345, slot, -678) }))
  })
})

test('-ln is the recorded one, to the last bit, and is right', () => {
  golden(
    'exponential',
    DRAWS.map(y => ({ y, value: exponential(y) }))
  )
  let before = 0
  for (let i = 0; i < 20_000; i++) {
    const y = Math.floor((i / 20_000) ** 4 * 4_294_967_295)
    const value = exponential(y)
    const v = (y + 0.5) / 4_294_967_296
    ok(Math.abs(value / -Math.log1p(-v) - 1) < 1e-11, `y = ${y}`)
    ok(value >= v * (1 - 1e-11), 'never below its draw')
    ok(value >= before * (1 - 1e-11), 'grows')
    before = value
  }
})

test('the grid and the bound are the recorded ones', () => {
  golden('bound', {
    grid: [0.001, 0.49, 0.5, 0.51, 1, 1.0001, 1.99, 3, 777].flatMap(value =>
      [4, 8, 16, 32].map(steps => ({ value, steps, up: ceilToGrid(value, steps) }))
    ),
    bounds: [1, 63, 64, 511, 512, 8_191, 8_192, 100_000].map(replicas => ({
      replicas,
      ...loadBound(1_234_567, 8 * 2_345_678, replicas)
    }))
  })
  is(ceilToGrid(0, 4), 0)
  equal(loadBound(100, 0, 1), { perWeight: 0, room: 0 })
})

function smallViews(): PlacementInput[] {
  const zones = ['a', 'a', 'b', 'b', 'c']
  const nodes = zones.map((zone, i) =>
    node(`node-${i}`, {
      zone,
      cpuMillis: 2_000 + 1_000 * i,
      eighths: i === 3 ? 4 : 8,
      schedulable: i !== 4,
      attributes: { 'node.name': `node-${i}`, 'node.labels.disk': i % 2 === 0 ? 'ssd' : 'hdd' }
    })
  )
  const disk = { attribute: 'node.labels.disk', operator: 'in' as const, values: ['ssd'] }
  const items = [
    item('web', { replicas: 6, created: 1, ports: ['tcp/80'] }),
    item('api', { replicas: 4, created: 2, zones: 'hard', cpuMillis: 500 }),
    item('db', { created: 3, class: -1, pins: [{ slot: 0, node: 'node-4' }] }),
    item('lost', { created: 4, pins: [{ slot: 0, node: 'node-9' }] }),
    item('agent', { created: 5, kind: 'global', cpuMillis: 50 }),
    item('batch', { replicas: 9, created: 6, requirements: [disk], memoryMiB: 3_000 }),
    item('picky', { replicas: 3, created: 7, maxPerNode: 1, zones: 'soft', avoid: ['node-0'] })
  ]
  const three = nodes.slice(0, 3)
  return [
    view(three, [item('web', { replicas: 7 })]),
    view(nodes, items),
    view(nodes, items, 'another mesh')
  ]
}

test('whole assignments and their digests are the recorded ones', () => {
  golden(
    'assignments',
    smallViews().map(input => {
      const assignment = assign(input)
      const digest = assignmentDigest(assignment)
      return { input, assignment, digest, viewHash: viewHash(input) }
    })
  )
})

test('digests of large meshes are the recorded ones', () => {
  golden(
    'meshes',
    [
      { replicas: 4_000, utilisation: 0.5, constraints: false },
      { replicas: 4_000, utilisation: 0.9, constraints: false },
      { replicas: 4_000, utilisation: 0.65, constraints: true },
      { replicas: 9_000, utilisation: 0.65, constraints: false },
      { replicas: 9_000, utilisation: 0.9, constraints: true }
    ].map(mesh => {
      const options = { nodes: 120, seed: 42, ...mesh }
      const input = makeMesh(options)
      const digest = assignmentDigest(assign(input))
      return { options, viewHash: viewHash(input), digest }
    })
  )
})

test('rank is the order of scores, weighted', () => {
  const nodes = Array.from({ length: 6 }, (_, i) => node(`node-${i}`))
  golden(
    'rank',
    ['web', 'api'].map(uid => ({ uid, rank: rank({ uid }, nodes, 'mesh') }))
  )
  let heavyFirst = 0
  const unequal = nodes.map((each, i) => ({ ...each, eighths: i === 0 ? 8 : 2 }))
  for (let i = 0; i < 900; i++) {
    if (rank({ uid: `u${i}` }, unequal, 'mesh')[0] === 'node-0') heavyFirst += 1
  }
  // Its share of the weights is 8/18.
  ok(heavyFirst > 340 && heavyFirst < 460, `${heavyFirst} of 900`)
})

test.run()
