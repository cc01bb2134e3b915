/** What a write says beside its plan, and why it is refused. */
import { equal, is, match, ok } from 'uvu/assert'
import { Answers, type AnswersComponents } from '../../node/answers.ts'
import { type BackendComponents, NodeBackend } from '../../node/backend/backend.ts'
import { Writes } from '../../node/backend/writes.ts'
import { reportStatus } from '../../node/report/status.ts'
import type { ReadyView } from '../../src/api/types.ts'
import { ShoalError } from '../../src/errors.ts'
import type { WorkloadSpec } from '../../src/spec/workload.ts'
import { member, spec, viewOf } from '../helpers/agent.ts'
import { NO_EXTRA, reportOf } from '../helpers/report.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('backend: writes')
const { signal } = new AbortController()
const PORT = { containerPort: 80, hostPort: 8_080, protocol: 'tcp' } as const

function request(workload: WorkloadSpec, dryRun: boolean) {
  const workloads = [workload]
  return { operation: 'op-12345678', project: 'demo', workloads, dryRun, prune: false }
}

function backendOf(more: { readonly waits?: string; readonly trouble?: string } = {}): NodeBackend {
  const context = reportOf(viewOf(['a']))
  const writes = new Writes({
    agent: context.agent,
    clock: context.clock,
    context,
    input: () => {}
  })
  const components: Partial<BackendComponents> = {
    context,
    writes,
    ready: () => ({ ready: more.waits === undefined, waits: more.waits ?? '' }) as ReadyView,
    trouble: () => more.trouble
  }
  return new NodeBackend(components as BackendComponents)
}

function refusal(backend: NodeBackend): ShoalError {
  try {
    void backend.deploy(request(spec(), false), signal)
  } catch (error) {
    ok(error instanceof ShoalError)
    return error
  }
  throw new Error('it was taken')
}

test('a full disk refuses a write as a fault of the store, with its own words', () => {
  const trouble = 'no space left on the disk of /data (12 KiB free); free some'
  const error = refusal(backendOf({ waits: trouble, trouble }))
  equal([error.code, error.message], ['STORE', trouble])
})

test('a node that still meets its peers refuses a write as unavailable', () => {
  const error = refusal(backendOf({ waits: 'it meets its peers' }))
  equal([error.code, error.message], ['UNAVAILABLE', 'this node is not ready: it meets its peers'])
})

test('ports of a service that runs as a process are warned about: nothing maps them', async () => {
  const notes = async (workload: WorkloadSpec): Promise<readonly string[]> => {
    const answer = await backendOf().deploy(request(workload, true), signal)
    return answer.notes.filter(note => note.includes('ports'))
  }
  equal(await notes(spec({ runtime: 'process', ports: [PORT] })), [
    'demo/web: ports: it runs as a process, which maps no ports: ' +
      'it is reached on the ports that it listens on itself'
  ])
  equal(await notes(spec({ runtime: 'process' })), [])
  equal(await notes(spec({ runtime: 'docker', ports: [PORT] })), [])
})

function waits(nodes: readonly string[], dead: readonly string[] = [], unread = 0): string {
  const view = viewOf(nodes)
  for (const id of dead) view.setMember(member(id, 'dead'))
  const { agent } = reportOf(view, { amnesiac: true, unread })
  const components: Partial<AnswersComponents> = { agent, trouble: () => undefined }
  return new Answers(components as AnswersComponents).waits()
}

test('a damaged store waits for its peers while one lives', () => {
  is(waits(['a', 'b']), 'its store was damaged; it fetches the state from its peers')
})

test('a store that another version wrote is not called damaged, and that version comes first', () => {
  is(
    waits(['a', 'b'], [], 1),
    'this version cannot read 1 record of its store; ' + 'it fetches the state from its peers'
  )
  match(waits(['a', 'b'], ['b'], 3), /3 records.* do: start the version .* them, or start b$/)
})

test('a damaged store of a lone node says what a person can do', () => {
  match(waits(['a']), /no other node .* shoal leave.* shoal up/)
  match(waits(['a', 'b'], ['b']), /start b/)
  const alone = reportOf(viewOf(['a']), { amnesiac: true })
  const [trouble] = reportStatus(alone, NO_EXTRA).notOk
  match(trouble?.what ?? '', /damaged/)
  match(trouble?.do.join(', ') ?? '', /shoal leave/)
})

test.run()
