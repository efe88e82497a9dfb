// One suite over every world: what the operator promises, shown from outside.

import { afterAll, beforeAll, describe } from 'bun:test'
import { blackholeCases } from './cases/blackhole.ts'
import { defectCases } from './cases/defects.ts'
import { deletionCases } from './cases/deletion.ts'
import { singleStackCases } from './cases/dual-stack.ts'
import { editCases } from './cases/edits.ts'
import { finalizerCases } from './cases/finalizers.ts'
import { formCases } from './cases/forms.ts'
import { hostileCases } from './cases/hostile.ts'
import { importingCases } from './cases/importing.ts'
import { invalidEditCases } from './cases/invalid-edits.ts'
import { movingCases } from './cases/moving.ts'
import { nameCases } from './cases/names.ts'
import { portCases } from './cases/ports.ts'
import { refusalCases } from './cases/refusals.ts'
import { repairCases } from './cases/repair.ts'
import { restCases } from './cases/rest.ts'
import { restartCases } from './cases/restart.ts'
import { scaleCases } from './cases/scale.ts'
import { seedCase } from './cases/seed.ts'
import { sliceCases } from './cases/slices.ts'
import { takeoverCases } from './cases/takeover.ts'
import { transitionCases } from './cases/transitions.ts'
import { type Session, startSession } from './session.ts'
import type { World } from './world.ts'

const START_MAX_MS = 120_000

/** Tests of one promise, in a world that is started when they run. */
type Cases = (session: () => Session) => void

const everything: readonly Cases[] = [
  seedCase,
  defectCases,
  formCases,
  editCases,
  invalidEditCases,
  deletionCases,
  repairCases,
  takeoverCases,
  sliceCases,
  transitionCases,
  singleStackCases,
  refusalCases,
  finalizerCases,
  importingCases,
  movingCases,
  portCases,
  nameCases,
  restartCases,
  restCases,
  blackholeCases,
  hostileCases,
  scaleCases,
]

/** Describes the operator in the world that `start` gives. */
export function describeOperator(name: string, start: () => Promise<World>): void {
  describeCases(name, start, everything)
}

/** As describeOperator(), some of it. */
export function describeCases(
  name: string,
  start: () => Promise<World>,
  cases: readonly Cases[],
): void {
  describe(name, () => {
    let started: Session | undefined
    const session = () => {
      if (!started) throw new Error('Cannot test as the world did not start')
      return started
    }

    beforeAll(async () => {
      started = await startSession(await start())
    }, START_MAX_MS)

    afterAll(async () => await started?.stop(), START_MAX_MS)

    for (const each of cases) each(session)
  })
}
