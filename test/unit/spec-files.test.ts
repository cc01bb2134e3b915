import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { equal, is, ok } from 'uvu/assert'
import { ShoalError } from '../../src/errors.ts'
import { projectReader, readSpecFile } from '../../src/spec/files.ts'
import { suite, type TestContext } from '../helpers/suite.ts'

const test = suite('spec files')

function project(context: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'shoal-spec-'))
  context.cleanup(() => rmSync(root, { recursive: true, force: true }))
  mkdirSync(join(root, 'app', 'sub'), { recursive: true })
  writeFileSync(join(root, 'secret'), 'S=1\n')
  writeFileSync(join(root, 'app', 'a.env'), 'A=1\n')
  return root
}

async function reason(work: Promise<unknown>): Promise<string> {
  try {
    return `read: ${String(await work)}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

test('files below the project are read, missing ones are undefined', async context => {
  const app = join(project(context), 'app')
  const read = projectReader(app)
  is(await read(join(app, 'a.env')), 'A=1\n')
  is(await read(join(app, 'none')), undefined)
})

test('what is no plain file below the project has a plain cause', async context => {
  const root = project(context)
  const app = join(root, 'app')
  execFileSync('/bin/sh', ['-c', 'mkfifo "$1"', 'sh', join(app, 'pipe')])
  symlinkSync(join(root, 'secret'), join(app, 'link'))
  writeFileSync(join(app, 'nul'), 'A=\0\n')
  writeFileSync(join(app, 'big'), Buffer.alloc(1024 * 1024 + 1))
  const read = projectReader(app)
  is(await reason(read(join(app, 'sub'))), 'it is a directory')
  is(await reason(read(join(app, 'pipe'))), 'it is a FIFO')
  is(await reason(read(join(app, 'link'))), 'it is not below the project')
  is(await reason(read(join(app, 'nul'))), 'the file has a NUL byte: byte 2')
  is(await reason(read(join(app, 'big'))), 'it has 1048577 bytes, at most 1048576 are read')
  is(await reason(read(join(app, 'a.env', 'x'))), 'a part of its path is not a directory')
})

test('the file that -f names is bytes, or INVALID with the cause', async context => {
  const app = join(project(context), 'app')
  equal(Buffer.from(await readSpecFile(join(app, 'a.env'))).toString(), 'A=1\n')
  const path = join(app, 'compose.yaml')
  try {
    await readSpecFile(path)
    ok(false, 'it does not exist')
  } catch (error) {
    ok(error instanceof ShoalError)
    is(error.code, 'INVALID')
    is(error.message, `cannot read ${path}: it does not exist`)
  }
})

test.run()
