/** What is measured of a mesh of many, and how it is printed. */

export interface Figure {
  readonly what: string
  readonly unit: string
  /** One a node, or one of all. */
  readonly values: readonly number[]
}

/** `what | min / median / max unit | n` */
export function row({ what, unit, values }: Figure): string {
  const sorted = [...values].sort((a, b) => a - b)
  const shown = [0, sorted.length >> 1, sorted.length - 1].map(at => short(sorted[at] ?? 0))
  const figures = sorted.length === 1 ? shown[0] : shown.join(' / ')
  return `${what} | ${figures} ${unit} | n ${sorted.length}`
}

function short(value: number): string {
  return Number.isInteger(value) ? `${value}` : value.toFixed(value < 10 ? 2 : 0)
}
