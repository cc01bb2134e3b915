import { equal } from 'uvu/assert'
import { ClaimBook } from '../../node/agent/claim-book.ts'
import { allocation } from '../helpers/agent.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: claim book')

function claim(slot: number, node: string): Parameters<ClaimBook['set']>[1] {
  return { slot, node, record: allocation({ claim: `${node}${slot}` }) }
}

function names(book: ClaimBook, uid: string): string[] {
  return book.of(uid).map(({ slot, node }) => `${slot}${node}`)
}

test('claims come by slot, then node, in whatever order they were learned', () => {
  const book = new ClaimBook()
  for (const one of [claim(10, 'a'), claim(2, 'b'), claim(2, 'a'), claim(0, 'c')]) {
    book.set('u0', one)
  }
  equal(names(book, 'u0'), ['0c', '2a', '2b', '10a'])
  equal(
    book
      .at('u0', 2)
      .map(({ node }) => node)
      .sort(),
    ['a', 'b']
  )
  equal(book.at('u0', 7), [])
  equal(names(book, 'u1'), [])
})

test('what a reader was given does not change under it', () => {
  const book = new ClaimBook()
  book.set('u0', claim(0, 'a'))
  const given = book.of('u0')
  book.set('u0', claim(1, 'b'))
  book.delete('u0', 0, 'a')
  equal(
    given.map(({ slot }) => slot),
    [0]
  )
  equal(names(book, 'u0'), ['1b'])
})

test('a later record of the same claim takes the place of the earlier', () => {
  const book = new ClaimBook()
  book.set('u0', claim(0, 'a'))
  book.set('u0', { ...claim(0, 'a'), record: allocation({ state: 'stopping' }) })
  equal(book.get('u0', 0, 'a')?.state, 'stopping')
  equal(book.of('u0').length, 1)
})

test('the workloads of a node are those of which it has a claim left', () => {
  const book = new ClaimBook()
  for (const slot of [0, 1]) book.set('u0', claim(slot, 'a'))
  book.set('u1', claim(0, 'a'))
  book.delete('u0', 0, 'a')
  equal([...book.uidsOf('a')], ['u0', 'u1'])
  book.delete('u0', 1, 'a')
  book.delete('u0', 1, 'a')
  equal([...book.uidsOf('a')], ['u1'])
  equal([...book.uids()], ['u1'])
  equal([...book.uidsOf('b')], [])
})

test.run()
