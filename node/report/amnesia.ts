/** A damaged store, and what a person can do: with no living peer nothing fills it again. */
import type { View } from '../agent/view.ts'

export interface Amnesia {
  readonly what: string
  /** Empty: it mends itself. */
  readonly do: readonly string[]
}

const NODES_NAMED_MAX = 3

/** `self` has found its store damaged. */
export function amnesia(view: Pick<View, 'members' | 'living'>, self: string): Amnesia {
  const others = [...view.members.values()]
    .filter(member => member.id !== self && member.state !== 'left')
    .sort((a, b) => (a.id < b.id ? -1 : 1))
  if (others.some(member => view.living(member.id))) {
    return {
      what: 'its store was damaged; it fetches the state from its peers',
      do: []
    }
  }
  if (others.length > 0) {
    const names = others.slice(0, NODES_NAMED_MAX).map(member => member.name || member.id)
    return {
      what: 'its store was damaged, and no other node is alive to fetch the state from',
      do: [`start ${names.join(' or ')}`]
    }
  }
  return {
    what: 'its store was damaged, and no other node is known to fetch the state from',
    do: [
      'start another node of this mesh',
      'if there is none, shoal leave, then shoal up and deploy again: a new mesh'
    ]
  }
}
