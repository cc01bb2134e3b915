/** `shoal token create`: the token alone on stdout for a pipe, or in a file only we may read. */
import { randomBytes } from 'node:crypto'
import { lstat, open, rename, rm } from 'node:fs/promises'
import { ShoalError } from '../../errors.ts'
import type { Context } from '../context.ts'
import { type Format, printData } from '../output.ts'
import { plainCause } from '../terminal.ts'

export async function tokenCreate(
  context: Context,
  options: { readonly format: Format; readonly out: string | undefined }
): Promise<void> {
  const { terminal, client, signal } = context
  const { format, out } = options
  const answer = await client.token(signal)
  if (out !== undefined) await writeSecret(out, `${answer.token}\n`)
  else if (format === 'json' || format === 'yaml') return printData(terminal, format, answer)
  else terminal.stdout.write(`${answer.token}\n`)
  if (terminal.isTty || out !== undefined)
    terminal.stderr.write('It holds the mesh key: whoever has it can join and read everything.\n')
}

/** Whole, mode 0600 from the first byte on, in the place of an older one. */
async function writeSecret(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const found = await lstat(path).catch(() => undefined)
    if (found !== undefined && !found.isFile())
      throw new ShoalError('USAGE', 'this is no regular file; it is left alone', { where: path })
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    if (error instanceof ShoalError) throw error
    const why = plainCause(error)
    throw new ShoalError('USAGE', `cannot write the token: ${why}`, { where: path })
  }
}
