/**
 * Ends this process at a named point, for tests (`promises.md` F2): `SHOAL_FAILPOINT` says where
 * and at which passing, as `write.after:3:kill`.
 */
import { ShoalError } from '../src/errors.ts'
import { type OnPoint, POINTS, type Point } from './points.ts'

const FAILPOINT_VARIABLE = 'SHOAL_FAILPOINT'

interface Failpoint {
  readonly point: Point
  /** It happens at this passing, counted from 1. */
  readonly passing: number
}

const FORM = /^([a-z.]+):([1-9]\d{0,8}):kill$/

function parse(text: string): Failpoint {
  const [, name, passing] = FORM.exec(text) ?? []
  const point = POINTS.find(known => known === name)
  if (point !== undefined) return { point, passing: Number(passing) }
  const what = name === undefined ? `"${text}" is no failpoint` : `there is no point "${name}"`
  throw new ShoalError('USAGE', what, {
    where: FAILPOINT_VARIABLE,
    hint: `say POINT:N:kill, as write.after:3:kill; points: ${POINTS.join(' ')}`
  })
}

/** SIGKILL: nothing more is run, flushed or closed. */
function killSelf(): void {
  process.kill(process.pid, 'SIGKILL')
}

/** What the environment asks for; nothing when it asks for nothing. Throws `ShoalError` USAGE. */
export function failpoint(
  env: Readonly<Record<string, string | undefined>>,
  kill: () => void = killSelf
): OnPoint {
  const text = env[FAILPOINT_VARIABLE] ?? ''
  if (text === '') return () => undefined
  const wanted = parse(text)
  let passed = 0
  return point => {
    if (point !== wanted.point) return
    passed += 1
    if (passed === wanted.passing) kill()
  }
}
