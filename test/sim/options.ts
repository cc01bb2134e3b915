/** The command lines of the simulator: a wrong one says what is wrong, and exits with 2. */
import { type ParseArgsConfig, parseArgs } from 'node:util'

function usage(text: string, usageText: string): never {
  process.stderr.write(`error[USAGE]: ${text}\n${usageText}\n`)
  process.exit(2)
}

type Options = NonNullable<ParseArgsConfig['options']>
type Values = Readonly<Record<string, string | boolean | undefined>>

export class CommandLine {
  readonly #usage: string
  readonly values: Values

  constructor(usageText: string, options: Options) {
    this.#usage = usageText
    try {
      const all = { ...options, help: { type: 'boolean' as const, default: false } }
      this.values = parseArgs({ options: all }).values as Values
    } catch (error) {
      usage(error instanceof Error ? error.message : String(error), usageText)
    }
    if (this.values['help'] !== true) return
    process.stdout.write(`${usageText}\n`)
    process.exit(0)
  }

  text(name: string): string | undefined {
    const value = this.values[name]
    return typeof value === 'string' ? value : undefined
  }

  flag(name: string): boolean {
    return this.values[name] === true
  }

  /** A whole number of at least `least`; undefined when it was not given. */
  whole(name: string, least: number): number | undefined {
    const value = this.#number(name)
    if (value === undefined || (Number.isSafeInteger(value) && value >= least)) return value
    return usage(`--${name} ${this.text(name)}: a whole number from ${least} on`, this.#usage)
  }

  /** A number above 0; undefined when it was not given. */
  positive(name: string): number | undefined {
    const value = this.#number(name)
    if (value === undefined || (Number.isFinite(value) && value > 0)) return value
    return usage(`--${name} ${this.text(name)}: a number above 0`, this.#usage)
  }

  /** Of a list of words, or one. */
  words(name: string, known: readonly string[]): readonly string[] | undefined {
    const words = this.text(name)?.split(',')
    const wrong = words?.find(word => !known.includes(word))
    if (wrong === undefined) return words
    return usage(`--${name} ${wrong}: one of ${known.join(', ')}`, this.#usage)
  }

  #number(name: string): number | undefined {
    const text = this.text(name)
    return text === undefined ? undefined : Number(text === '' ? Number.NaN : text)
  }
}
