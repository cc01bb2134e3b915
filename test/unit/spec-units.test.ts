import { equal, is } from 'uvu/assert'
import { isAttribute, parseConstraint } from '../../src/spec/constraints.ts'
import { parseImage } from '../../src/spec/image.ts'
import { editDistance, nearest } from '../../src/spec/nearest.ts'
import { parsePort } from '../../src/spec/ports.ts'
import {
  DURATION_RULE,
  type Parsed,
  parseBoolean,
  parseBytes,
  parseCpus,
  parseDuration,
  parseName,
  parseSignal,
  parseVolumeName,
  parseWhole
} from '../../src/spec/units.ts'
import { suite } from '../helpers/suite.ts'

const test = suite('spec units')

function table<T>(parse: (text: string) => Parsed<T>, rows: readonly [string, T | undefined][]) {
  for (const [text, wanted] of rows) {
    const result = parse(text)
    equal(result.ok ? result.value : undefined, wanted, JSON.stringify(text))
  }
}

test('durations have the form that Go and Compose use, in milliseconds', () => {
  table(parseDuration, [
    ['10s', 10_000],
    ['1m30s', 90_000],
    ['1h', 3_600_000],
    ['500ms', 500],
    ['1.5s', 1_500],
    ['100us', 1],
    ['0', 0],
    ['0s', 0],
    ['', undefined],
    ['10', undefined],
    ['-5s', undefined],
    ['1 week', undefined],
    ['1w', undefined],
    ['5 s', undefined],
    ['s', undefined],
    ['1e3s', undefined],
    ['9999999h', undefined],
    [`${'1s'.repeat(40)}`, undefined]
  ])
  equal(parseDuration('1 week'), { ok: false, reason: DURATION_RULE })
})

test('sizes count in powers of 1024, whatever the spelling', () => {
  table(parseBytes, [
    ['1024', 1_024],
    ['1k', 1_024],
    ['512m', 536_870_912],
    ['64MiB', 67_108_864],
    ['100kb', 102_400],
    ['1.5G', 1_610_612_736],
    ['1TB', 1_099_511_627_776],
    ['1 gb', 1_073_741_824],
    ['0', 0],
    ['-1', undefined],
    ['10x', undefined],
    ['1ib', undefined],
    ['', undefined],
    ['NaN', undefined],
    ['1e9', undefined],
    ['999999999999999t', undefined]
  ])
})

test('cpus are plain decimals, in thousandths', () => {
  table(parseCpus, [
    ['0.5', 500],
    ['.25', 250],
    ['2', 2_000],
    ['0.0001', 1],
    ['0', 0],
    ['-1', undefined],
    ['1e3', undefined],
    ['half', undefined],
    ['5000', undefined]
  ])
})

test('whole numbers have no fraction, exponent or space', () => {
  const replicas = (text: string) => parseWhole(text, 0, 1_000)
  table(replicas, [
    ['0', 0],
    ['1000', 1_000],
    ['1001', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['1e9', undefined],
    [' 1', undefined],
    ['', undefined]
  ])
})

test('texts that stand for booleans are those that Compose takes', () => {
  table(parseBoolean, [
    ['true', true],
    ['Yes', true],
    ['off', false],
    ['n', false],
    ['1', undefined],
    ['', undefined]
  ])
})

test('names keep one rule and never mean something to JavaScript', () => {
  table(parseName, [
    ['web', 'web'],
    ['a', 'a'],
    ['web-1.api_x', 'web-1.api_x'],
    ['a'.repeat(63), 'a'.repeat(63)],
    ['a'.repeat(64), undefined],
    ['', undefined],
    ['Web', undefined],
    ['-web', undefined],
    ['web-', undefined],
    ['..', undefined],
    ['a..b', undefined],
    ['a/b', undefined],
    ['⚓', undefined],
    ['a\u202eb', undefined],
    ['__proto__', undefined],
    ['constructor', undefined],
    ['prototype', undefined]
  ])
  table(parseVolumeName, [
    ['db_data', 'db_data'],
    ['Data', 'Data'],
    ['.data', undefined],
    ['a b', undefined],
    ['toString', undefined]
  ])
})

test('signals are names with or without SIG, or numbers', () => {
  table(parseSignal, [
    ['SIGTERM', 'SIGTERM'],
    ['int', 'SIGINT'],
    ['9', '9'],
    ['SIGRTMIN+3', 'SIGRTMIN+3'],
    ['0', undefined],
    ['65', undefined],
    ['SIGFOO', undefined],
    ['', undefined]
  ])
})

test('image references follow the rule of the registries', () => {
  const digest = `sha256:${'a'.repeat(64)}`
  for (const good of [
    'nginx',
    'nginx:1.27-alpine',
    'library/nginx',
    'ghcr.io/org/app:v1',
    'localhost:5000/app',
    'localhost/app',
    '10.0.0.5:5000/a/b_c/d__e:x',
    `nginx@${digest}`,
    `registry.example.com/app:1@${digest}`,
    '[::1]:5000/app'
  ])
    is(parseImage(good).ok, true, good)
  for (const bad of [
    '',
    'Nginx',
    'a:b:c',
    'nginx:',
    'nginx@sha256:abc',
    `nginx@${digest}@${digest}`,
    'nginx@md5:abc',
    '/nginx',
    'nginx/',
    'a//b',
    'a b',
    '-a',
    'a___b',
    'a'.repeat(600),
    'exa_mple.com:80:90/a'
  ])
    is(parseImage(bad).ok, false, bad)
})

test('ports have the short form of Compose, ranges pair up', () => {
  const tcp = { protocol: 'tcp' } as const
  equal(parsePort('80'), { ok: true, value: [{ containerPort: 80, ...tcp }] })
  equal(parsePort('8080:80'), { ok: true, value: [{ containerPort: 80, hostPort: 8080, ...tcp }] })
  equal(parsePort('127.0.0.1:53:53/udp'), {
    ok: true,
    value: [{ containerPort: 53, hostPort: 53, hostIp: '127.0.0.1', protocol: 'udp' }]
  })
  equal(parsePort('[::1]:80:80'), {
    ok: true,
    value: [{ containerPort: 80, hostPort: 80, hostIp: '::1', ...tcp }]
  })
  equal(parsePort('0.0.0.0:80:80'), {
    ok: true,
    value: [{ containerPort: 80, hostPort: 80, ...tcp }]
  })
  equal(parsePort('3000-3001:4000-4001'), {
    ok: true,
    value: [
      { containerPort: 4000, hostPort: 3000, ...tcp },
      { containerPort: 4001, hostPort: 3001, ...tcp }
    ]
  })
  for (const bad of [
    '0',
    '65536',
    '80:80:80',
    'abc',
    '-1',
    ':80',
    '80:',
    '1-2:1',
    '2-1',
    '80/sctp'
  ])
    is(parsePort(bad).ok, false, bad)
})

test('conditions on nodes take our attributes and the names that Swarm has for them', () => {
  equal(parseConstraint('node.labels.disk == ssd'), {
    ok: true,
    value: { attribute: 'node.labels.disk', operator: '==', value: 'ssd' }
  })
  equal(parseConstraint('node.hostname!=a b'), {
    ok: true,
    value: { attribute: 'node.name', operator: '!=', value: 'a b' }
  })
  for (const bad of [
    'node.role == manager',
    'engine.labels.x == y',
    'node.foo == 1',
    'a',
    '',
    '== x'
  ])
    is(parseConstraint(bad).ok, false, bad)
  is(isAttribute('node.labels.__proto__'), false)
})

test('the nearest name is the one with fewest edits, a swap counting once', () => {
  is(nearest('imgae', ['image', 'images', 'command']), 'image')
  is(nearest('prots', ['ports', 'profiles']), 'ports')
  is(nearest('Image', ['image']), 'image')
  is(nearest('xyz', ['image', 'ports']), undefined)
  is(nearest('', ['a']), undefined)
  is(editDistance('abcd', 'abcd', 3), 0)
  is(editDistance('ab', 'ba', 3), 1)
  is(editDistance('kitten', 'sitting', 3), 3)
  is(editDistance('kitten', 'sitting', 2), 3)
})

test.run()
