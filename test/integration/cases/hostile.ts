// Specs as attackers and broken templates write them: each ends in a clear message, and disturbs nobody.

import { expect, test } from 'bun:test'
import { hostileSpecs } from '../../crds/hostile.ts'
import { Refused } from '../api.ts'
import { throughout } from '../eventually.ts'
import { clusterEndpoint, tcpPort } from '../manifests.ts'
import { Sandbox } from '../sandbox.ts'
import type { Session } from '../session.ts'

const SOON_MS = 20_000
/** Milliseconds for a resource that comes after all of these. */
const NEXT_MAX_MS = 1_000
/** Characters of one condition, and bytes of a whole resource beside its spec. */
const MESSAGE_MAX = 4_096
const STATUS_BYTES_MAX = 64_000
/** JSON has no infinity: it is sent as null, which an API server takes for absent. */
const LOST_IN_JSON = 'a period beyond all numbers'
const TEST_MAX_MS = 90_000

export function hostileCases(session: () => Session): void {
  test(
    `${hostileSpecs.length} hostile specs are refused or told in their status, and a neighbour does not move`,
    async () => {
      await using sandbox = await Sandbox.open(session())
      const { api, world, operator } = session()
      const { pid } = operator()
      const [host] = world.hosts
      const { port } = await sandbox.start('tcp', host)
      const near = { periodSeconds: 1, ports: [tcpPort('web', port, [host])] }
      await sandbox.create('near', near)
      await sandbox.eventually(5_000, () => expect(sandbox.status('near')?.phase).toBe('Healthy'))
      const versions = sandbox.resourceVersions('near')

      const accepted: Row[] = []
      for (const [index, { name: what, spec, expect: told }] of hostileSpecs.entries()) {
        const name = `row-${index}`
        try {
          await api.create(sandbox.place('clusterendpoints'), clusterEndpoint(name, spec))
          accepted.push({ name, what, told })
        } catch (error) {
          if (!(error instanceof Refused)) throw error
          expect({ what, status: error.status }).toEqual({ what, status: 422 })
          expect(error.message).not.toBeEmpty()
        }
      }
      await sandbox.eventually(SOON_MS, () => {
        for (const row of accepted) expectTold(sandbox, row)
      })
      console.log(
        `${world.name}: of ${hostileSpecs.length} hostile specs it refused ${hostileSpecs.length - accepted.length}, the operator told of the rest`,
      )

      await throughout(2_000, () => expect(sandbox.resourceVersions('near')).toEqual(versions))
      await sandbox.create('next', near)
      await sandbox.eventually(NEXT_MAX_MS, () =>
        expect(sandbox.status('next')?.phase).toBe('Healthy'),
      )
      expect(operator().pid).toBe(pid)
      expect(operator().isRunning()).toBe(true)
    },
    TEST_MAX_MS,
  )
}

type Row = {
  readonly name: string
  readonly what: string
  readonly told: (typeof hostileSpecs)[number]['expect']
}

function expectTold(sandbox: Sandbox, { name, what, told }: Row): void {
  const status = sandbox.status(name)
  const initialized = sandbox.condition(name, 'Initialized')
  expect({ what, initialized }).toEqual({ what, initialized: expect.anything() })
  if ('issue' in told && what !== LOST_IN_JSON) {
    expect({ what, ...initialized }).toMatchObject({ what, status: 'False', reason: 'InvalidSpec' })
    expect(sandbox.latest('services', name)).toBeUndefined()
  }
  const refusedHere = 'refused' in told && !isFineHere(sandbox, what)
  if (refusedHere) expect({ what, ...initialized }).toMatchObject({ what, status: 'False' })
  for (const { message } of status?.conditions ?? []) {
    expect(message.length).toBeLessThanOrEqual(MESSAGE_MAX)
    expect(message).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  }
  expect(JSON.stringify(status).length).toBeLessThan(STATUS_BYTES_MAX)
}

/** A world on loopback takes loopback addresses. */
function isFineHere({ session }: Sandbox, what: string): boolean {
  return session.world.operatorArgs.includes('--allow-loopback') && what === 'this machine'
}
