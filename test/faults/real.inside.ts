// What runs in the network namespace: not a file that `bun test` finds by itself.

import { describe } from 'bun:test'
import { realFaults } from './real.ts'

describe('a real control plane', realFaults)
