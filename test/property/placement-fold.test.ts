import fc from 'fast-check'
import { equal } from 'uvu/assert'
import { Fold } from '../../placement/fold.ts'
import { assign, assignmentDigest, Placer, ViewHash, viewHash } from '../../placement/index.ts'
import { after, anyHistory, anyView } from '../helpers/placement-mesh.ts'
import { plainAssign } from '../helpers/placement-reference.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('placement: the fold')
const SIZES = [1, 2, 3, 4, 20]

for (const size of SIZES) {
  test(`with ${size} nodes it is the plain reading of the design`, () => {
    fc.assert(
      fc.property(anyView(size), input => {
        const fold = new Fold(input.salt)
        fold.apply([
          ...input.nodes.map(node => ({ kind: 'node', node }) as const),
          ...input.items.map(item => ({ kind: 'item', item }) as const)
        ])
        const plain = plainAssign(input)
        for (const { uid } of input.items) {
          const got = fold.of(uid)!
          const want = [...plain.seats.get(uid)!].sort((a, b) => (a[0] < b[0] ? -1 : 1))
          equal(
            got.seats.map(seat => [seat.node, seat.seats]),
            want,
            uid
          )
          equal(
            got.pending.reduce((sum, each) => sum + each.count, 0),
            plain.pending.get(uid),
            `pending of ${uid}`
          )
        }
      }),
      { numRuns: 150 }
    )
  })

  test(`with ${size} nodes repair equals recomputing after any history (I2)`, () => {
    fc.assert(
      fc.property(anyView(size), anyHistory(size), (start, history) => {
        let input = start
        const placer = new Placer(input)
        const hash = new ViewHash(input)
        let before = placer.assignment()
        for (const changes of history) {
          input = after(input, changes)
          const changed = placer.apply(changes)
          hash.apply(changes)
          const fresh = assign(input)
          equal(placer.assignment(), fresh)
          equal(placer.digest(), assignmentDigest(fresh))
          equal(placer.viewHash(), viewHash(input))
          equal(hash.value(), viewHash(input))
          const old = new Map(before.items.map(each => [each.uid, JSON.stringify(each)]))
          const now = new Map(fresh.items.map(each => [each.uid, JSON.stringify(each)]))
          const uids = [...new Set([...old.keys(), ...now.keys()])].sort()
          equal(
            changed,
            uids.filter(uid => old.get(uid) !== now.get(uid))
          )
          before = fresh
        }
      }),
      { numRuns: 60 }
    )
  })
}

test.run()
