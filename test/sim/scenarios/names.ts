/** Hosts in short: `n0..n2,n5` is how they are written in commands and in what these give. */

const FORM = /^([a-z]+)(\d+)((?:\.\d+)?)$/

/** `n0..n2,n5` -> n0 n1 n2 n5. */
export function readNames(text: string): string[] {
  return text.split(',').flatMap(one => {
    const [first = '', last] = one.split('..')
    if (last === undefined) return [first]
    const [, kind = '', low = ''] = FORM.exec(first) ?? []
    const [, , high = ''] = FORM.exec(last) ?? []
    const count = Number(high) - Number(low) + 1
    return Array.from({ length: count }, (_, index) => `${kind}${Number(low) + index}`)
  })
}

/** By kind, then by number. */
export function sortNames(names: Iterable<string>): string[] {
  const parts = (name: string): readonly [string, number, string] => {
    const [, kind = name, number = '0', rest = ''] = FORM.exec(name) ?? []
    return [kind, Number(number), rest]
  }
  return [...names].sort((a, b) => {
    const [kindA, numberA, restA] = parts(a)
    const [kindB, numberB, restB] = parts(b)
    if (kindA !== kindB) return kindA < kindB ? -1 : 1
    return numberA - numberB || (restA < restB ? -1 : restA > restB ? 1 : 0)
  })
}

/** Three or more in a row become a range. */
export function shortNames(names: Iterable<string>): string {
  const runs: string[][] = []
  for (const name of sortNames(names)) {
    const last = runs.at(-1)
    if (last !== undefined && follows(last.at(-1) ?? '', name)) last.push(name)
    else runs.push([name])
  }
  return runs.flatMap(run => (run.length < 3 ? run : [`${run[0]}..${run.at(-1)}`])).join(' ')
}

function follows(before: string, name: string): boolean {
  const [, kindA, numberA, restA] = FORM.exec(before) ?? []
  const [, kindB, numberB, restB] = FORM.exec(name) ?? []
  return kindA === kindB && restA === '' && restB === '' && Number(numberA) + 1 === Number(numberB)
}
