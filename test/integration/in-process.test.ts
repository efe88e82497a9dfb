import { startInProcessWorld } from './in-process-world.ts'
import { describeOperator } from './suite.ts'

describeOperator('the operator against the in-process API server', startInProcessWorld)
