/**
 * A store that is damaged or of another version, and what a person can do: with no living peer
 * nothing fills it again.
 */
import type { View } from '../agent/view.ts'

export interface Amnesia {
  readonly what: string
  /** Empty: it mends itself. */
  readonly do: readonly string[]
}

const NODES_NAMED_MAX = 3

export interface Forgetful {
  readonly view: Pick<View, 'members' | 'living'>
  readonly self: string
  /** Records that its version cannot read. */
  readonly replica: { readonly unread: number }
}

/** Of the agent of a node that cannot trust its memory. */
export function amnesia({ view, self, replica: { unread } }: Forgetful): Amnesia {
  const which = unread === 1 ? '1 record' : `${unread} records`
  const why =
    unread === 0 ? 'its store was damaged' : `this version cannot read ${which} of its store`
  // What only this disk holds, only the version that wrote it brings back.
  const back = unread === 0 ? [] : ['start the version of shoald that wrote them']
  const others = [...view.members.values()]
    .filter(member => member.id !== self && member.state !== 'left')
    .sort((a, b) => (a.id < b.id ? -1 : 1))
  if (others.some(member => view.living(member.id))) {
    return {
      what: `${why}; it fetches the state from its peers`,
      do: []
    }
  }
  if (others.length > 0) {
    const names = others.slice(0, NODES_NAMED_MAX).map(member => member.name || member.id)
    return {
      what: `${why}, and no other node is alive to fetch the state from`,
      do: [...back, `start ${names.join(' or ')}`]
    }
  }
  return {
    what: `${why}, and no other node is known to fetch the state from`,
    do: [
      ...back,
      'start another node of this mesh',
      'if there is none, shoal leave, then shoal up and deploy again: a new mesh'
    ]
  }
}
