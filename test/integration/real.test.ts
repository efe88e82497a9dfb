import { describeInNamespace } from '../controlplane/describe-in-namespace.ts'
import { startRealWorld } from './real-world.ts'
import { describeOperator } from './suite.ts'

describeInNamespace('the operator against a real API server', import.meta.path, () =>
  describeOperator('in its namespace', () => startRealWorld()),
)
