/** Options and arguments that several commands share, and how their text becomes values. */
import { Argument, InvalidArgumentError, Option } from '@commander-js/extra-typings'
import { parseDuration } from '../spec/units.ts'
import { FORMATS, type Format } from './output.ts'

export const outputOption = (): Option<'-o, --output <format>', undefined, string> =>
  new Option('-o, --output <format>', 'how to show it').choices(FORMATS).default('table')

export const quietOption = (): Option<'-q, --quiet'> =>
  new Option('-q, --quiet', 'names only, as -o name')

export const watchOption = (): Option<'-w, --watch'> =>
  new Option('-w, --watch', 'show it again every second, until Ctrl-C')

export const socketOption = (): Option<'--socket <path>'> =>
  new Option('--socket <path>', 'socket of the daemon to ask [env SHOAL_SOCKET]')

export const sureOption = (): Option<'-y, --yes'> => new Option('-y, --yes', 'do not ask')

/** `--timeout <time>`, whose default help shows as people would write it. */
export const timeoutOption = (
  text: string,
  defaultMs: number
): Option<'--timeout <time>', undefined, number, number> =>
  new Option('--timeout <time>', text)
    .argParser(timeoutMs)
    .default(defaultMs, shortDuration(defaultMs))

function shortDuration(ms: number): string {
  return ms % 60_000 === 0 ? `${ms / 60_000}m` : `${ms / 1_000}s`
}

export const detachOption = (): Option<'-d, --detach'> =>
  new Option('-d, --detach', 'leave once it is written, do not wait')

export const operationOption = (): Option<'--operation <id>'> =>
  new Option('--operation <id>', 'retry this operation: it never happens twice')

export const workloadArgument = (text: string): Argument<'<workload>'> =>
  new Argument('<workload>', text)

/** A duration as Compose writes it, or plain seconds; in milliseconds. */
export function timeoutMs(text: string): number {
  const duration = parseDuration(/^\d+(\.\d+)?$/.test(text) ? `${text}s` : text)
  if (!duration.ok) throw new InvalidArgumentError(`not ${duration.reason}`)
  return duration.value
}

export function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('not a whole number.')
  return Number(text)
}

/** For options that may be given several times. */
export function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text]
}

/** What `choices` let through. */
export function formatOf(options: { readonly output: string; readonly quiet?: true }): Format {
  if (options.quiet === true) return 'name'
  return FORMATS.find(format => format === options.output) ?? 'table'
}
