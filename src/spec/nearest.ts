/** The nearest known name to a mistyped one (Damerau-Levenshtein, optimal string alignment). */

const NAME_LENGTH_MAX = 64

/**
 * Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`; anything above
 * `bound` is returned as `bound + 1`. O(|a| * |b|), both cut by the caller.
 */
export function editDistance(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) > bound) return bound + 1
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row]
    let best = row
    for (let column = 1; column <= b.length; column += 1) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1
      let edits = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + cost
      )
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (row > 1 && column > 1 && swapped) edits = Math.min(edits, (before[column - 2] ?? 0) + 1)
      current.push(edits)
      best = Math.min(best, edits)
    }
    if (best > bound) return bound + 1
    before = previous
    previous = current
  }
  return Math.min(previous[b.length] ?? bound + 1, bound + 1)
}

/**
 * The nearest of `names`, or undefined when none is near: at most a third of the length, 1 to 3
 * edits. Ties go to the first in alphabetical order. Case counts for nothing.
 */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  if (name.length === 0 || name.length > NAME_LENGTH_MAX) return undefined
  const wanted = name.toLowerCase()
  let bound = Math.min(3, Math.max(1, Math.ceil(name.length / 3)))
  let found: string | undefined
  for (const candidate of [...names].sort()) {
    const edits = editDistance(wanted, candidate.toLowerCase(), bound)
    if (edits > bound || (found !== undefined && edits === bound)) continue
    found = candidate
    bound = edits
    if (edits === 0) break
  }
  return found
}
