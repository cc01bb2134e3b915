/**
 * Entry of the bundled shoald: runs `shoald.cjs` beside it. V8 compiles lazily and forgets at the
 * end of a process; `shoald.cache`, made by the build after a first run, holds what a start and a
 * join compile. V8 takes it only from its own version and flags; without it all works alike, and
 * a start costs half as much again.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'

/** What Node puts around a CommonJS module. */
const WRAPPER = ['(function (exports, require, module, __filename, __dirname) {', '\n})'] as const

type Run = (...parts: readonly unknown[]) => void

function cached(): Buffer | undefined {
  try {
    return readFileSync(new URL('shoald.cache', import.meta.url))
  } catch {
    return undefined
  }
}

function run(): Script {
  const filename = fileURLToPath(new URL('shoald.cjs', import.meta.url))
  const cachedData = cached()
  const script = new Script(WRAPPER.join(readFileSync(filename, 'utf8')), {
    filename,
    ...(cachedData === undefined ? {} : { cachedData })
  })
  const module = { exports: {} }
  const start = script.runInThisContext() as Run
  start(module.exports, createRequire(filename), module, filename, dirname(filename))
  return script
}

/** For the build, which makes the cache from it. */
export const script = run()
