/**
 * Which API version to speak: the newest that both sides know. Engines drop old versions (Docker
 * 29.0 refused all below 1.44), so none is ever assumed.
 */

export const API_VERSION_MIN = '1.41'
export const API_VERSION_MAX = '1.54'

const VERSION_PATTERN = /^(\d{1,3})\.(\d{1,3})$/

function parse(version: string): readonly [number, number] | undefined {
  const match = VERSION_PATTERN.exec(version)
  return match === null ? undefined : [Number(match[1]), Number(match[2])]
}

/** Negative, zero or positive, as for `sort`. Versions that do not parse come first. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parse(a), parse(b)]
  if (left === undefined || right === undefined)
    return (left === undefined ? 0 : 1) - (right === undefined ? 0 : 1)
  return left[0] - right[0] || left[1] - right[1]
}

export type Negotiated =
  | { readonly kind: 'version'; readonly version: string }
  | { readonly kind: 'refused'; readonly reason: string }

/** `engineMax` is the engine's newest version, `engineMin` its oldest (undefined: not said). */
export function negotiate(engineMax: string, engineMin: string | undefined): Negotiated {
  if (parse(engineMax) === undefined)
    return { kind: 'refused', reason: `the engine names API version "${engineMax}"` }
  const version = compareVersions(engineMax, API_VERSION_MAX) < 0 ? engineMax : API_VERSION_MAX
  if (compareVersions(version, API_VERSION_MIN) < 0)
    return {
      kind: 'refused',
      reason: `the engine speaks API ${engineMax}; shoal needs ${API_VERSION_MIN} or newer`
    }
  if (engineMin !== undefined && compareVersions(version, engineMin) < 0)
    return {
      kind: 'refused',
      reason: `the engine wants API ${engineMin} or newer; shoal speaks up to ${API_VERSION_MAX}`
    }
  return { kind: 'version', version }
}
