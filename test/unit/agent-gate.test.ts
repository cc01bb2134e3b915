import { equal } from 'uvu/assert'
import { DEFAULT_AGENT_CONFIG as CONFIG } from '../../node/agent/config.ts'
import { Gate } from '../../node/agent/gate.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('agent: gate')
const KNOWN = { synced: true, alone: false }
const UNKNOWN = { synced: false, alone: false }

function open(): Gate {
  const gate = new Gate({ config: CONFIG })
  gate.joined(0)
  gate.observe(['docker'])
  return gate
}

test('nothing is decided before the mesh was met and a runtime was listed', () => {
  const gate = new Gate({ config: CONFIG })
  equal(gate.shut, true)
  gate.joined(0)
  equal(gate.ask(10, KNOWN), { act: false, afterMs: undefined })
  gate.observe(['process'])
  equal(gate.ask(10, KNOWN), { act: true, first: true })
  equal(gate.ask(11, KNOWN), { act: true, first: false })
})

test('a node with living peers waits for one whole repair, but not for ever', () => {
  equal(open().ask(0, UNKNOWN), { act: false, afterMs: 100 })
  equal(open().ask(0, { synced: false, alone: true }), { act: true, first: true })
  equal(open().ask(CONFIG.syncWaitMs, UNKNOWN), { act: true, first: true })
})

test('a node that was paused holds still until its peers have spoken again', () => {
  const gate = open()
  gate.ask(0, KNOWN)
  gate.paused(5_000)
  equal(gate.ask(5_000, KNOWN), { act: false, afterMs: CONFIG.settleMs })
  equal(gate.ask(5_000 + CONFIG.settleMs, KNOWN), { act: true, first: false })
})

test('amnesia shuts the gate until the node was filled again', () => {
  const gate = open()
  gate.amnesiac = true
  equal(gate.ask(99_999, KNOWN), { act: false, afterMs: undefined })
  gate.amnesiac = false
  equal(gate.ask(99_999, KNOWN), { act: true, first: true })
})

test('a runtime that is listed later is told once', () => {
  const gate = open()
  equal(gate.observe(['docker', 'process']), ['process'])
  equal(gate.observe(['docker', 'process']), [])
})

test('after a look at thousands of claims the next one waits, at a handful at once', () => {
  const gate = open()
  gate.evaluated(1_000, 8)
  equal(gate.wakeAtMs(1_000), 1_005)
  gate.evaluated(2_000, 4_000)
  equal(gate.wakeAtMs(2_001), 2_080)
  equal(gate.notBefore(2_001), 2_080)
  equal(gate.wakeAtMs(2_100), 2_105)
})

test.run()
