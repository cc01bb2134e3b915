/**
 * A command written as one text, cut into arguments as Compose does: white space separates,
 * quotes and backslashes hold together. No shell runs it, so `;`, `|` and `&` are plain text.
 */

export type Words =
  | { readonly ok: true; readonly words: readonly string[]; readonly shellSigns: readonly string[] }
  | { readonly ok: false; readonly offset: number; readonly message: string }

const SHELL_SIGNS: ReadonlySet<string> = new Set([
  ';',
  '&',
  '|',
  '<',
  '>',
  '&&',
  '||',
  '>>',
  '2>&1'
])
const SPACE = /\s/

class WordReader {
  readonly #text: string
  readonly words: string[] = []
  readonly shellSigns = new Set<string>()
  #word = ''
  #begun = false
  #quoted = false

  constructor(text: string) {
    this.#text = text
  }

  /** The offset of the quote that is not closed, or -1. */
  read(): number {
    const text = this.#text
    let at = 0
    while (at < text.length) {
      const character = text[at] ?? ''
      if (character === "'" || character === '"') {
        const end = character === "'" ? this.#single(at) : this.#double(at)
        if (end === -1) return at
        at = end
      } else if (character === '\\' && at + 1 < text.length) {
        if (text[at + 1] !== '\n') this.#add(text[at + 1] ?? '')
        at += 1
      } else if (SPACE.test(character)) this.#end()
      else this.#add(character)
      at += 1
    }
    this.#end()
    return -1
  }

  #single(start: number): number {
    const end = this.#text.indexOf("'", start + 1)
    if (end === -1) return -1
    this.#begun = this.#quoted = true
    this.#word += this.#text.slice(start + 1, end)
    return end
  }

  #double(start: number): number {
    this.#begun = this.#quoted = true
    for (let at = start + 1; at < this.#text.length; at += 1) {
      const character = this.#text[at] ?? ''
      if (character === '"') return at
      const next = this.#text[at + 1] ?? ''
      if (character === '\\' && '"\\$`\n'.includes(next) && next !== '') {
        if (next !== '\n') this.#word += next
        at += 1
      } else this.#word += character
    }
    return -1
  }

  #add(character: string): void {
    this.#begun = true
    this.#word += character
  }

  #end(): void {
    if (this.#begun) {
      const sign = this.#word.endsWith(';') ? ';' : this.#word
      if (!this.#quoted && SHELL_SIGNS.has(sign)) this.shellSigns.add(sign)
      this.words.push(this.#word)
    }
    this.#word = ''
    this.#begun = this.#quoted = false
  }
}

/** Cuts a command into its arguments. */
export function splitWords(text: string): Words {
  const reader = new WordReader(text)
  const open = reader.read()
  if (open !== -1) {
    const kind = text[open] === '"' ? 'double' : 'single'
    return { ok: false, offset: open, message: `a ${kind} quote is not closed` }
  }
  return { ok: true, words: reader.words, shellSigns: [...reader.shellSigns] }
}
