// One suite over every world: what the operator promises, shown from outside.

import { afterAll, beforeAll, describe } from 'bun:test'
import { blackholeCases } from './cases/blackhole.ts'
import { defectCases } from './cases/defects.ts'
import { deletionCases } from './cases/deletion.ts'
import { editCases } from './cases/edits.ts'
import { finalizerCases } from './cases/finalizers.ts'
import { formCases } from './cases/forms.ts'
import { hostileCases } from './cases/hostile.ts'
import { invalidEditCases } from './cases/invalid-edits.ts'
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

/** Describes the operator in the world that `start` gives. */
export function describeOperator(name: string, start: () => Promise<World>): void {
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

    seedCase(session)
    defectCases(session)
    formCases(session)
    editCases(session)
    invalidEditCases(session)
    deletionCases(session)
    repairCases(session)
    takeoverCases(session)
    sliceCases(session)
    transitionCases(session)
    refusalCases(session)
    finalizerCases(session)
    portCases(session)
    restartCases(session)
    restCases(session)
    blackholeCases(session)
    hostileCases(session)
    scaleCases(session)
  })
}
