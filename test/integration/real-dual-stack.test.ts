import { describeInNamespace } from '../controlplane/describe-in-namespace.ts'
import { versionOf } from '../controlplane/layout.ts'
import { findBinaries } from '../controlplane/provision.ts'
import { dualStackCases } from './cases/dual-stack.ts'
import { startRealWorld } from './real-world.ts'
import { describeCases } from './suite.ts'

const RANGES = '--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112'
/** Off in 1.20 as it comes, on from 1.21, gone in 1.25. */
const GATE = '--feature-gates=IPv6DualStack=true'

const found = findBinaries()
const isOld = found.ok && versionOf(found.binaries).startsWith('v1.20.')

describeInNamespace(
  'the operator against a real API server with two families',
  import.meta.path,
  () =>
    describeCases('in its namespace', () => startRealWorld(isOld ? [RANGES, GATE] : [RANGES]), [
      dualStackCases,
    ]),
)
