/** Text for terminals: what others wrote made harmless, durations and sizes made short. */

const ESC = String.fromCodePoint(0x1b)
const BEL = String.fromCodePoint(0x07)
// CSI, then strings such as OSC (window titles, links), then every other escape.
const SEQUENCES = new RegExp(
  `${ESC}\\[[0-?]*[ -/]*[@-~]` +
    `|${ESC}[\\]PX^_][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\\\)?` +
    `|${ESC}[ -/]*[0-~]?`,
  'gu'
)
const COLOURS = new RegExp(`^${ESC}\\[[0-9;]*m$`)
// Controls, bidirectional overrides and separators; tabs become spaces before.
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu

/** One line without control characters: names, reasons, everything in a table. T29. */
export function plain(text: string): string {
  return text
    .replace(SEQUENCES, '')
    .replace(/[\t\r\n]+/g, ' ')
    .replace(CONTROLS, '')
}

/** A log line for a terminal: colours stay, all that moves the cursor or sets a title goes. */
export function plainLog(text: string): string {
  return text
    .replace(SEQUENCES, found => (COLOURS.test(found) ? found : ''))
    .replace(/\t/g, '    ')
    .replace(CONTROLS, found => (found === ESC ? found : ''))
}

/** `4 min`, `3 h`, `2 d`; seconds below two minutes. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`
}

/** Since an ISO time; '' when it is none. Clocks differ between hosts: for display only. */
export function ago(iso: string | null, now: number): string {
  const then = iso === null ? Number.NaN : Date.parse(iso)
  return Number.isNaN(then) ? '' : duration(now - then)
}

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

export function memory(mib: number): string {
  return mib >= 10 * 1024 ? `${Math.round(mib / 1024)} GiB` : `${mib} MiB`
}

export function cores(millis: number): string {
  return String(Math.round(millis / 10) / 100)
}
