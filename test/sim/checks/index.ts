/** Every promise that a run is held to. */
import { bounded, determinism, slotNumbers } from './agreement.ts'
import type { Check, Subject } from './check.ts'
import { noEmptyStart, noOrphan, nothingForeign, oneEachHost } from './instances.ts'
import { incarnations, noHealthyDeath, obituaries } from './members.ts'
import { durableAcks, neverGuess, noLostEdit, noResurrection, onceOnly } from './state.ts'
import { unknownFields } from './versions.ts'

const CHECKS: readonly ((subject: Subject) => Check)[] = [
  durableAcks,
  onceOnly,
  noLostEdit,
  noResurrection,
  neverGuess,
  oneEachHost,
  nothingForeign,
  noOrphan,
  noEmptyStart,
  incarnations,
  obituaries,
  noHealthyDeath,
  determinism,
  slotNumbers,
  bounded,
  unknownFields
]

export function allChecks(subject: Subject): Check[] {
  return CHECKS.map(make => make(subject))
}
