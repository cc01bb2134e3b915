/**
 * One testbed for all tests of a file. The first test that asks opens it; `close` runs as the
 * file's last test, which uvu starts whatever happened before.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Suite } from './suite.ts'
import { Testbed, type TestbedInit } from './testbed.ts'

export class SharedBed {
  readonly #init: TestbedInit
  readonly #prepare: (bed: Testbed) => Promise<void>
  #bed: Promise<Testbed> | undefined

  constructor(init: TestbedInit, prepare: (bed: Testbed) => Promise<void> = async () => {}) {
    this.#init = init
    this.#prepare = prepare
  }

  get(): Promise<Testbed> {
    this.#bed ??= (async () => {
      const bed = await Testbed.open(this.#init)
      try {
        await this.#prepare(bed)
        return bed
      } catch (error) {
        await bed.close()
        throw error
      }
    })()
    return this.#bed
  }

  /** Registers the test that takes the bed down. */
  closeAtEnd(test: Suite): void {
    test('the hosts are taken down', async () => {
      const bed = await this.#bed?.catch(() => undefined)
      await bed?.close()
    })
  }
}

/** Writes a Compose file of a bed and returns its path. */
export function composeFile(bed: Testbed, name: string, lines: readonly string[]): string {
  const path = join(bed.folder, `${name}.yaml`)
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

/** A service of busybox's web server: answers at once and ends at once on TERM. */
export function webService(replicas: number, more: readonly string[] = []): string[] {
  return [
    'services:',
    '  web:',
    '    image: busybox:local',
    "    command: ['sh', '-c', 'echo web starts on $$(hostname); exec httpd -f -p 8080']",
    `    deploy: { replicas: ${replicas} }`,
    ...more.map(line => `    ${line}`)
  ]
}
