/** What a bench says: n and min/median/max of each figure, and whether its bar was met. */

export interface Bar {
  readonly medianMax?: number
  readonly max?: number
}

export interface Figure {
  readonly name: string
  readonly unit: string
  readonly samples: readonly number[]
  readonly bar?: Bar
}

export interface Bench {
  /** One line for `--help`. */
  readonly about: string
  run(options: BenchOptions): Promise<readonly Figure[]>
}

export interface BenchOptions {
  /** How often the main event is repeated; each bench has its own default. */
  readonly count: number | undefined
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

const round = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2)

/** `2.31 / 2.85 / 4.02` */
export function spread(samples: readonly number[]): string {
  return [Math.min(...samples), median(samples), Math.max(...samples)].map(round).join(' / ')
}

export function meets({ samples, bar }: Figure): boolean | undefined {
  if (bar === undefined) return undefined
  if (samples.length === 0) return false
  const { medianMax, max } = bar
  return (
    (medianMax === undefined || median(samples) <= medianMax) &&
    (max === undefined || Math.max(...samples) <= max)
  )
}

export function barText(bar: Bar | undefined): string {
  const parts = [
    ...(bar?.medianMax === undefined ? [] : [`median <= ${bar.medianMax}`]),
    ...(bar?.max === undefined ? [] : [`max <= ${bar.max}`])
  ]
  return parts.join(', ')
}

export function line(figure: Figure): string {
  const { name, unit, samples, bar } = figure
  const verdict = meets(figure)
  const tail = verdict === undefined ? '' : `  [${barText(bar)}: ${verdict ? 'met' : 'MISSED'}]`
  return `${name}: n ${samples.length}, ${spread(samples)} ${unit}${tail}`
}

/** A Markdown table of figures. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map(figure => {
    const verdict = meets(figure)
    const bar = verdict === undefined ? '' : `${barText(figure.bar)}: ${verdict ? 'met' : 'missed'}`
    const { name, unit, samples } = figure
    return `| ${name} | ${unit} | ${samples.length} | ${spread(samples)} | ${bar} |`
  })
  const head = '| what | unit | n | min / median / max | bar |\n| --- | --- | --- | --- | --- |'
  return [head, ...rows].join('\n')
}
