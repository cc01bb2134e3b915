/**
 * A child process that writes synced batches and tells each acknowledged one on its output, until
 * it is killed: `node --import tsx store-writer.ts DIR`.
 */
import { writeSync } from 'node:fs'
import { onDisk } from '../../node/store/files.ts'
import { LevelStore } from '../../node/store/level-store.ts'

const [dir = ''] = process.argv.slice(2)
const store = await LevelStore.open({ ...onDisk(dir), node: 'n', mesh: 'm', ballastBytes: 0 })
const first = store.stats().records
for (let i = first; ; i++) {
  const value = new TextEncoder().encode(`value ${i}`.repeat(20))
  await store.write([{ key: `own/n/${String(i).padStart(8, '0')}`, value }], i % 3 !== 0)
  writeSync(1, `${i}\n`)
}
