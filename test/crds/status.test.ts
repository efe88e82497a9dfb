import { describe, expect, test } from 'bun:test'
import {
  HOST_ROWS_MAX,
  type Observed,
  type ObservedHost,
  readStatus,
  rowOf,
  type Status,
} from '../../crds/status.ts'
import { statusOf } from '../../crds/status-of.ts'
import { portLabel } from '../../crds/targets.ts'
import { type Health, seed } from '../../probes/health.ts'
import { noNames, only, planFor } from './fixtures.ts'

const NOW_MS = Date.UTC(2026, 10, 22, 20, 3, 28, 999)
const NOW = '2026-11-22T20:03:28Z'
const SINCE_MS = Date.UTC(2026, 10, 1, 0, 0, 0, 1)
const SINCE = '2026-11-01T00:00:00Z'

const well: Health = { ...seed('healthy', SINCE_MS, ''), last: 'ok', run: 1 }

function out(reason: string): Health {
  return { ...seed('unhealthy', SINCE_MS, reason), last: 'failed', run: 3 }
}

/** A world in which all is well: ports a (two hosts) and b (one host). */
const plan = planFor({
  ports: [
    { name: 'a', port: 80, hosts: ['10.0.0.2', '10.0.0.1'] },
    { name: 'b', port: 81, targetPort: 8081, hosts: ['10.0.0.1'] },
  ],
})
const calm: Observed = {
  generation: 4,
  issues: [],
  hosts: plan.targets.map((target) => ({ target, health: well })),
  refused: [],
  names: noNames,
  ports: plan.ports,
  clusterIP: '10.96.0.10',
  service: { ok: true },
  endpoints: { ok: true },
  carriers: 'Endpoints',
  families: [],
  familyPolicy: undefined,
  isFirstRoundIn: true,
}

function hostsWith(...healths: readonly Health[]): ObservedHost[] {
  return plan.targets.map((target, index) => ({ target, health: healths[index] ?? well }))
}

function observed(more: Partial<Observed>): Observed {
  return { ...calm, ...more }
}

const [refusedHost] = planFor({
  ports: [{ name: 'a', port: 80, hosts: ['db_1.internal'] }],
}).refused
const refused = refusedHost ? [refusedHost] : []

function conditionOf(status: Status, type: string) {
  return only(status.conditions.filter((condition) => condition.type === type))
}

describe('statusOf() of a world in which all is well', () => {
  test('is this, to the letter', () => {
    expect(statusOf(calm, undefined, NOW_MS)).toEqual({
      phase: 'Healthy',
      ready: '3/3',
      clusterIP: '10.96.0.10',
      observedGeneration: 4,
      conditions: [
        {
          type: 'Initialized',
          status: 'True',
          reason: 'SpecAccepted',
          message: 'The spec is valid',
          lastTransitionTime: NOW,
          observedGeneration: 4,
        },
        {
          type: 'SyncServiceReady',
          status: 'True',
          reason: 'Synced',
          message: 'Service up to date',
          lastTransitionTime: NOW,
          observedGeneration: 4,
        },
        {
          type: 'SyncEndpointReady',
          status: 'True',
          reason: 'Synced',
          message: 'Endpoints up to date',
          lastTransitionTime: NOW,
          observedGeneration: 4,
        },
        {
          type: 'Ready',
          status: 'True',
          reason: 'AllHostsHealthy',
          message: 'All hosts are healthy',
          lastTransitionTime: NOW,
          observedGeneration: 4,
        },
      ],
      hosts: [
        { port: 'a', host: '10.0.0.1', targetPort: 80, healthy: true, since: SINCE },
        { port: 'a', host: '10.0.0.2', targetPort: 80, healthy: true, since: SINCE },
        { port: 'b', host: '10.0.0.1', targetPort: 8081, healthy: true, since: SINCE },
      ],
    })
  })

  test('says no cluster IP before there is one', () => {
    for (const clusterIP of [undefined, '']) {
      expect(statusOf(observed({ clusterIP }), undefined, NOW_MS)).not.toHaveProperty('clusterIP')
    }
  })
})

describe('statusOf() sums up', () => {
  const failing = { ok: false, reason: 'Forbidden', message: 'Cannot patch' } as const
  type Sum = readonly [phase: string, ready: string, readyStatus: string, readyReason: string]
  const rows: readonly [name: string, more: Partial<Observed>, sum: Sum][] = [
    ['all hosts well', {}, ['Healthy', '3/3', 'True', 'AllHostsHealthy']],
    ['one host out', { hosts: hostsWith(out('x')) }, ['UnHealthy', '2/3', 'True', 'SomeHostsOut']],
    [
      'the only host of a port out',
      { hosts: hostsWith(well, well, out('x')) },
      ['UnHealthy', '2/3', 'False', 'NoHealthyHost'],
    ],
    [
      'all hosts out',
      { hosts: hostsWith(out('x'), out('x'), out('x')) },
      ['UnHealthy', '0/3', 'False', 'NoHealthyHost'],
    ],
    ['a refused host', { refused }, ['UnHealthy', '3/4', 'True', 'SomeHostsOut']],
    [
      'a refused host and one out',
      { refused, hosts: hostsWith(out('x')) },
      ['UnHealthy', '2/4', 'True', 'SomeHostsOut'],
    ],
    ['no hosts at all', { hosts: [] }, ['UnHealthy', '0/0', 'False', 'NoHealthyHost']],
    ['refused hosts only', { hosts: [], refused }, ['UnHealthy', '0/1', 'False', 'NoHealthyHost']],
    ['the first round not in', { isFirstRoundIn: false }, ['Pending', '3/3', 'Unknown', 'Probing']],
    [
      'the first round not in and a host out',
      { isFirstRoundIn: false, hosts: hostsWith(out('x')) },
      ['Pending', '2/3', 'Unknown', 'Probing'],
    ],
    [
      'an invalid spec from the start',
      { issues: ['spec: x'], hosts: [], ports: [] },
      ['UnHealthy', '0/0', 'False', 'InvalidSpec'],
    ],
    [
      'an invalid spec from the start, before the first round',
      { issues: ['spec: x'], hosts: [], isFirstRoundIn: false },
      ['UnHealthy', '0/0', 'False', 'InvalidSpec'],
    ],
    [
      'a spec that became invalid',
      { issues: ['spec: x'] },
      ['UnHealthy', '3/3', 'True', 'AllHostsHealthy'],
    ],
    [
      'a Service that cannot be written',
      { service: failing },
      ['UnHealthy', '3/3', 'False', 'Forbidden'],
    ],
    [
      'Endpoints that cannot be written',
      { endpoints: failing },
      ['UnHealthy', '3/3', 'False', 'Forbidden'],
    ],
    [
      'a Service that was not written yet',
      { service: undefined },
      ['Healthy', '3/3', 'Unknown', 'NotSynced'],
    ],
    [
      'Endpoints that were not written yet',
      { endpoints: undefined },
      ['Healthy', '3/3', 'Unknown', 'NotSynced'],
    ],
    [
      'a Service that cannot, and Endpoints that were not written',
      { service: failing, endpoints: undefined },
      ['UnHealthy', '3/3', 'False', 'Forbidden'],
    ],
  ]
  for (const [name, more, sum] of rows) {
    test(`${name}: ${sum.join(', ')}`, () => {
      const status = statusOf(observed(more), undefined, NOW_MS)
      const ready = conditionOf(status, 'Ready')
      expect([status.phase, status.ready, ready.status, ready.reason ?? '']).toEqual([...sum])
    })
  }
})

describe('statusOf() tells in its conditions', () => {
  const message = (type: string, more: Partial<Observed>) =>
    conditionOf(statusOf(observed(more), undefined, NOW_MS), type).message
  const many = planFor({
    ports: [
      { name: 'a', port: 80, hosts: ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', 'fd00::5'] },
    ],
  })
  const allOut = many.targets.map((target) => ({ target, health: out('HTTP 503') }))
  const rows: readonly [name: string, type: string, more: Partial<Observed>, message: string][] = [
    [
      'what is wrong in the spec',
      'Initialized',
      { issues: ['spec.a: x', 'spec.b: y'], hosts: [] },
      'spec.a: x; spec.b: y',
    ],
    [
      'what stays in force meanwhile',
      'Initialized',
      { issues: ['spec.a: x'] },
      'spec.a: x; the last valid spec stays in force',
    ],
    [
      'which host was refused',
      'Initialized',
      { refused },
      'spec.ports[0].hosts[0]: Cannot use host "db_1.internal" as it must not hold an underscore',
    ],
    [
      'that it was refused, once more',
      'Ready',
      { refused },
      '3 of 4 hosts are healthy; see condition Initialized',
    ],
    [
      'who is out and why',
      'Ready',
      { hosts: hostsWith(out('timeout after 1s')) },
      '2 of 3 hosts are healthy; out: a 10.0.0.2:80 (timeout after 1s)',
    ],
    [
      'who is out without a reason',
      'Ready',
      { hosts: hostsWith(out('')) },
      '2 of 3 hosts are healthy; out: a 10.0.0.2:80',
    ],
    [
      'which port has nobody',
      'Ready',
      { hosts: hostsWith(well, well, out('HTTP 503')) },
      'No healthy host for b; out: b 10.0.0.1:8081 (HTTP 503)',
    ],
    ['that ports have no hosts', 'Ready', { hosts: [] }, 'No healthy host for a, b'],
    [
      'three at most, and how many more',
      'Ready',
      { hosts: allOut, ports: many.ports },
      'No healthy host for a; out: a 10.0.0.1:80 (HTTP 503), a 10.0.0.2:80 (HTTP 503), a 10.0.0.3:80 (HTTP 503) and 2 more',
    ],
    [
      'three without "more" when there are three',
      'Ready',
      { hosts: allOut.slice(0, 3), ports: many.ports },
      'No healthy host for a; out: a 10.0.0.1:80 (HTTP 503), a 10.0.0.2:80 (HTTP 503), a 10.0.0.3:80 (HTTP 503)',
    ],
    [
      'IPv6 in brackets',
      'Ready',
      { hosts: allOut.slice(4), ports: many.ports },
      'No healthy host for a; out: a [fd00::5]:80 (HTTP 503)',
    ],
    [
      'why the Service could not be written',
      'SyncServiceReady',
      { service: { ok: false, reason: 'R', message: 'because' } },
      'because',
    ],
    [
      'why the Endpoints could not be written',
      'SyncEndpointReady',
      { endpoints: { ok: false, reason: 'R', message: 'because' } },
      'because',
    ],
    [
      'where to read it',
      'Ready',
      { endpoints: { ok: false, reason: 'R', message: 'because' } },
      'See condition SyncEndpointReady',
    ],
    [
      'that nothing was written',
      'SyncServiceReady',
      { service: undefined },
      'Service not written yet',
    ],
  ]
  for (const [name, type, more, expected] of rows) {
    test(`${name} (${type})`, () => expect(message(type, more)).toBe(expected))
  }

  test('every type once, with the generation, whatever happened', () => {
    for (const [, more] of [
      ['calm', {}],
      ['invalid', { issues: ['x'], hosts: [] }],
      ['nothing', { hosts: [], ports: [], service: undefined, endpoints: undefined }],
    ] as const) {
      const { conditions } = statusOf(observed({ ...more, generation: 9 }), undefined, NOW_MS)
      expect(conditions.map(({ type }) => type)).toEqual([
        'Initialized',
        'SyncServiceReady',
        'SyncEndpointReady',
        'Ready',
      ])
      for (const { observedGeneration } of conditions) expect(observedGeneration).toBe(9)
    }
  })
})

describe('statusOf() tells of names', () => {
  const [servicePort] = plan.ports
  if (!servicePort) throw new Error('no port')
  const some = { ...noNames, total: 2 }
  const absent = { name: 'x.test', servicePort, targetPort: 80, reason: 'dns NXDOMAIN' }
  const trouble = { name: 'y.test', reason: 'dns timeout' }
  const rows: readonly [
    name: string,
    names: Observed['names'],
    told: readonly [string, string, string],
  ][] = [
    ['that are resolved', some, ['True', 'Resolved', 'All names are resolved']],
    [
      'of which nothing was heard',
      { ...some, unasked: ['y.test', 'x.test'] },
      ['Unknown', 'Resolving', 'No answer yet about x.test, y.test'],
    ],
    [
      'without an address',
      { ...some, unresolved: [absent] },
      ['False', 'NoAddress', 'No address for x.test (dns NXDOMAIN)'],
    ],
    [
      'whose addresses are only kept',
      { ...some, troubles: [trouble] },
      ['False', 'LookupFailing', 'The last addresses are kept of y.test (dns timeout)'],
    ],
    [
      'of both sorts',
      { ...some, unresolved: [absent], troubles: [trouble] },
      [
        'False',
        'NoAddress',
        'No address for x.test (dns NXDOMAIN); The last addresses are kept of y.test (dns timeout)',
      ],
    ],
    [
      'with too many addresses',
      { ...some, leftOut: new Map([['x.test', 6]]) },
      [
        'True',
        'AddressesLeftOut',
        'All names are resolved; addresses left out, as there are too many: 6 of x.test',
      ],
    ],
  ]
  for (const [name, names, [status, reason, message]] of rows) {
    test(`${name}: ${status}, ${reason}`, () => {
      const { conditions } = statusOf(observed({ names }), undefined, SINCE_MS)
      const condition = conditions.find(({ type }) => type === 'NamesResolved')
      expect(condition).toMatchObject({ status, reason, message })
    })
  }

  test('in no condition where there are none', () => {
    const { conditions } = statusOf(observed({}), undefined, SINCE_MS)
    expect(conditions.map(({ type }) => type)).not.toContain('NamesResolved')
  })

  test('as before a restart until something is heard', () => {
    const before = statusOf(
      observed({ names: { ...some, troubles: [trouble] } }),
      undefined,
      SINCE_MS,
    )
    const names = { ...some, unasked: ['y.test'] }
    expect(statusOf(observed({ names }), before, SINCE_MS + 60_000)).toEqual(before)
  })

  test('as hosts that are out where there is no address', () => {
    const status = statusOf(
      observed({ names: { ...some, unresolved: [absent] } }),
      undefined,
      SINCE_MS,
    )
    expect(status).toMatchObject({ phase: 'UnHealthy', ready: '3/4' })
    const row = {
      port: 'a',
      host: 'x.test',
      targetPort: 80,
      healthy: false,
      reason: 'dns NXDOMAIN',
    }
    expect(status.hosts[0]).toEqual(row)
    expect(status.conditions.find(({ type }) => type === 'Ready')).toMatchObject({
      message: '3 of 4 hosts are healthy; out: a x.test:80 (dns NXDOMAIN)',
    })
  })
})

describe('statusOf() lists hosts', () => {
  test('those that are out first, then by port, address and targetPort', () => {
    const { targets } = planFor({
      ports: [
        { name: 'b', port: 81, targetPort: 2, hosts: ['10.0.0.1'] },
        { name: 'b', port: 81, targetPort: 1, hosts: ['10.0.0.1', '10.0.0.3'] },
        { name: 'a', port: 80, hosts: ['10.0.0.2', '10.0.0.1'] },
      ],
    })
    const hosts = targets.map((target) => ({
      target,
      health: target.host === '10.0.0.3' || target.host === '10.0.0.2' ? out('x') : well,
    }))
    const { hosts: rows } = statusOf(observed({ hosts, refused }), undefined, NOW_MS)
    expect(
      rows.map(
        ({ port, host, targetPort, healthy }) =>
          `${healthy ? '+' : '-'} ${port} ${host} ${targetPort}`,
      ),
    ).toEqual([
      '- a 10.0.0.2 80',
      '- a db_1.internal 80',
      '- b 10.0.0.3 1',
      '+ a 10.0.0.1 80',
      '+ b 10.0.0.1 1',
      '+ b 10.0.0.1 2',
    ])
  })

  test('with a reason only while they are out', () => {
    const { hosts } = statusOf(observed({ hosts: hostsWith(out('HTTP 503')) }), undefined, NOW_MS)
    expect(hosts[0]).toEqual({
      port: 'a',
      host: '10.0.0.2',
      targetPort: 80,
      healthy: false,
      reason: 'HTTP 503',
      since: SINCE,
    })
    for (const row of hosts.slice(1)) expect(row).not.toHaveProperty('reason')
  })

  test('that were refused with the message and without a time', () => {
    const [row] = statusOf(observed({ refused }), undefined, NOW_MS).hosts
    expect(row).toEqual({
      port: 'a',
      host: 'db_1.internal',
      targetPort: 80,
      healthy: false,
      reason:
        'spec.ports[0].hosts[0]: Cannot use host "db_1.internal" as it must not hold an underscore',
    })
  })

  const manyHosts = (count: number) =>
    planFor({
      ports: [
        {
          port: 80,
          hosts: Array.from({ length: count }, (_, index) => `10.1.${index >> 8}.${index & 255}`),
        },
      ],
    }).targets

  for (const [count, omitted] of [
    [HOST_ROWS_MAX - 1, undefined],
    [HOST_ROWS_MAX, undefined],
    [HOST_ROWS_MAX + 1, 1],
    [20_000, 20_000 - HOST_ROWS_MAX],
  ] as const) {
    test(`${HOST_ROWS_MAX} at most: of ${count} it omits ${omitted ?? 'none'}, and says so`, () => {
      const targets = manyHosts(count)
      const hosts = targets.map((target, index) => ({
        target,
        health: index === count - 1 ? out('x') : well,
      }))
      const status = statusOf(observed({ hosts }), undefined, NOW_MS)
      expect(status.hosts).toHaveLength(Math.min(count, HOST_ROWS_MAX))
      expect(status.hostsOmitted).toBe(omitted)
      expect('hostsOmitted' in status).toBe(omitted !== undefined)
      expect(status.ready).toBe(`${count - 1}/${count}`)
      // The one that is out is not among those that are left out.
      expect(status.hosts[0]?.healthy).toBe(false)
    })
  }

  test('so that the status of 20,000 hosts, all out for a long reason, stays small', () => {
    const hosts = manyHosts(20_000).map((target) => ({ target, health: out('x'.repeat(200)) }))
    const status = statusOf(observed({ hosts }), undefined, NOW_MS)
    expect(JSON.stringify(status).length).toBeLessThan(50_000)
  })

  test('of a port without a name under its number', () => {
    const { targets, ports } = planFor({ ports: [{ port: 80, hosts: ['10.0.0.1'] }] })
    const hosts = targets.map((target) => ({ target, health: well }))
    expect(statusOf(observed({ hosts, ports }), undefined, NOW_MS).hosts[0]?.port).toBe('80')
    expect(portLabel({ name: 'web', protocol: 'TCP', port: 80, targetPort: 1 })).toBe('web')
  })
})

describe('statusOf() keeps the time of a condition', () => {
  const before = statusOf(calm, undefined, NOW_MS)
  const laterMs = NOW_MS + 60_000
  const LATER = '2026-11-22T20:04:28Z'
  const timesOf = ({ conditions }: Status) =>
    Object.fromEntries(conditions.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]))

  test('while its status stays, although reason, message and generation change', () => {
    const after = statusOf(observed({ hosts: hostsWith(out('x')), generation: 5 }), before, laterMs)
    expect(conditionOf(after, 'Ready')).toMatchObject({
      reason: 'SomeHostsOut',
      observedGeneration: 5,
    })
    expect(timesOf(after)).toEqual(timesOf(before))
  })

  test('and moves it with the status, of that condition alone', () => {
    const down = statusOf(observed({ hosts: hostsWith(well, well, out('x')) }), before, laterMs)
    expect(timesOf(down)).toEqual({ ...timesOf(before), Ready: LATER })
    const up = statusOf(calm, down, laterMs + 60_000)
    expect(timesOf(up)).toEqual({ ...timesOf(before), Ready: '2026-11-22T20:05:28Z' })
  })

  test('and gives a new condition the present', () => {
    const { conditions, ...rest } = before
    const after = statusOf(calm, { ...rest, conditions: conditions.slice(1) }, laterMs)
    expect(timesOf(after)).toEqual({ ...timesOf(before), Initialized: LATER })
  })

  test('and forgets conditions that are not ours', () => {
    const stranger = { ...conditionOf(before, 'Ready'), type: 'Progressing' }
    const after = statusOf(
      calm,
      { ...before, conditions: [stranger, ...before.conditions] },
      laterMs,
    )
    expect(after.conditions).toEqual(before.conditions)
  })
})

describe('statusOf() is stable', () => {
  const worlds: readonly [name: string, world: Observed][] = [
    ['calm', calm],
    ['with a host out', observed({ hosts: hostsWith(out('HTTP 503')) })],
    ['with a refused host', observed({ refused })],
    [
      'invalid',
      observed({
        issues: ['spec: x'],
        hosts: [],
        ports: [],
        service: undefined,
        endpoints: undefined,
      }),
    ],
    ['pending', observed({ isFirstRoundIn: false, clusterIP: undefined })],
  ]
  for (const [name, world] of worlds) {
    test(`(${name}): the same world gives the same bytes at any later time`, () => {
      const first = statusOf(world, undefined, NOW_MS)
      let previous = first
      for (const passedMs of [1, 999, 1_000, 3_600_000, 86_400_000 * 365]) {
        previous = statusOf(structuredClone(world), previous, NOW_MS + passedMs)
        expect(JSON.stringify(previous)).toBe(JSON.stringify(first))
      }
    })

    test(`(${name}): read back from the cluster it is what was written, so that nothing is written again`, () => {
      const status = statusOf(world, undefined, NOW_MS)
      const back = readStatus(JSON.parse(JSON.stringify(status)))
      expect(Bun.deepEquals(back, status, true)).toBe(true)
    })

    test(`(${name}): the order of the hosts does not move its rows`, () => {
      const rows = (hosts: readonly ObservedHost[]) =>
        statusOf({ ...world, hosts }, undefined, NOW_MS).hosts
      expect(rows(world.hosts.toReversed())).toEqual(rows(world.hosts))
    })
  }

  test('does not depend on how often a host failed or answered', () => {
    const runs = [1, 2, 3].map((run) => observed({ hosts: hostsWith({ ...out('x'), run }) }))
    const bytes = runs.map((world) => JSON.stringify(statusOf(world, undefined, NOW_MS)))
    expect(new Set(bytes).size).toBe(1)
  })

  test('does not change the status it was given', () => {
    const before = statusOf(calm, undefined, NOW_MS)
    const copy = structuredClone(before)
    statusOf(observed({ hosts: [] }), before, NOW_MS + 1)
    expect(before).toEqual(copy)
  })
})

describe('readStatus()', () => {
  test('reads the status of the Go original, and leaves what we do not know', () => {
    const status = readStatus({
      phase: 'UnHealthy',
      conditions: [
        {
          type: 'SyncServiceReady',
          status: 'True',
          lastHeartbeatTime: '2023-01-02T03:04:05Z',
          lastTransitionTime: '2023-01-02T03:04:00Z',
          reason: 'Ready',
          message: 'sync service successfully',
        },
        {
          type: 'Ready',
          status: 'False',
          lastHeartbeatTime: '2023-01-02T03:04:05Z',
          lastTransitionTime: '2023-01-02T03:04:01Z',
        },
      ],
    })
    expect(status).toEqual({
      phase: 'UnHealthy',
      ready: '',
      hosts: [],
      conditions: [
        {
          type: 'SyncServiceReady',
          status: 'True',
          lastTransitionTime: '2023-01-02T03:04:00Z',
          reason: 'Ready',
          message: 'sync service successfully',
        },
        {
          type: 'Ready',
          status: 'False',
          lastTransitionTime: '2023-01-02T03:04:01Z',
          reason: '',
          message: '',
        },
      ],
    })
    const next = statusOf(calm, status, NOW_MS)
    expect(conditionOf(next, 'SyncServiceReady').lastTransitionTime).toBe('2023-01-02T03:04:00Z')
    expect(conditionOf(next, 'Ready').lastTransitionTime).toBe(NOW)
    expect(JSON.stringify(next)).not.toContain('lastHeartbeatTime')
  })

  const before = JSON.parse(JSON.stringify(statusOf(calm, undefined, NOW_MS)))
  for (const [name, value] of [
    ['nothing', undefined],
    ['null', null],
    ['an empty object', {}],
    ['text', 'Healthy'],
    ['another phase', { ...before, phase: 'Running' }],
    [
      'a time that is null',
      { ...before, conditions: [{ ...before.conditions[0], lastTransitionTime: null }] },
    ],
    ['a time that is none', { ...before, hosts: [{ ...before.hosts[0], since: 'yesterday' }] }],
    ['conditions that are an object', { ...before, conditions: {} }],
    ['hosts that are text', { ...before, hosts: 'x' }],
  ] as const) {
    test(`knows nothing of ${name}, and goes on`, () => {
      const status = readStatus(value)
      expect(status).toBeUndefined()
      expect(statusOf(calm, status, NOW_MS).phase).toBe('Healthy')
    })
  }
})

describe('rowOf()', () => {
  const status = statusOf(observed({ hosts: hostsWith(out('HTTP 503')) }), undefined, NOW_MS)
  const [first, second, third] = plan.targets

  test('finds the row of a target', () => {
    expect(first && rowOf(status, first)).toMatchObject({
      host: '10.0.0.2',
      healthy: false,
      since: SINCE,
    })
    expect(second && rowOf(status, second)).toMatchObject({
      host: '10.0.0.1',
      port: 'a',
      healthy: true,
    })
    expect(third && rowOf(status, third)).toMatchObject({ host: '10.0.0.1', port: 'b' })
  })

  test('finds nothing without a status, and nothing of a target that is not in it', () => {
    expect(first && rowOf(undefined, first)).toBeUndefined()
    for (const other of planFor({
      ports: [
        { name: 'c', port: 80, hosts: ['10.0.0.1'] },
        { name: 'a', port: 81, targetPort: 81, hosts: ['10.0.0.1'] },
        { name: 'b', port: 82, targetPort: 8081, hosts: ['10.0.0.9'] },
      ],
    }).targets) {
      expect(rowOf(status, other)).toBeUndefined()
    }
  })

  test('finds the row with a history, not that of a twin which was refused', () => {
    const both = planFor({
      ports: [
        { name: 'a', port: 80, hosts: ['10.0.0.1'], tcpSocket: {} },
        { name: 'a', port: 80, hosts: ['10.0.0.1'], grpc: {} },
      ],
    })
    const target = only(both.targets)
    const world = observed({
      hosts: [{ target, health: well }],
      refused: both.refused,
      ports: both.ports,
    })
    const twins = statusOf(world, undefined, NOW_MS)
    expect(twins.hosts).toHaveLength(2)
    expect(rowOf(twins, target)).toMatchObject({ healthy: true, since: SINCE })
  })
})

describe('statusOf() tells of two families', () => {
  const mixed = planFor({ ports: [{ name: 'a', port: 80, hosts: ['10.0.0.1', 'fd00::1'] }] })
  const hosts = mixed.targets.map((target) => ({ target, health: well }))
  const dualStack = (more: Partial<Observed>) =>
    statusOf(observed({ hosts, ...more }), undefined, NOW_MS).conditions.find(
      ({ type }) => type === 'DualStack',
    )

  test('when the Service has both', () => {
    expect(dualStack({ families: ['IPv4', 'IPv6'] })).toMatchObject({ status: 'True' })
  })

  test('when it has one, and why', () => {
    expect(dualStack({ families: ['IPv4'] })).toMatchObject({
      status: 'False',
      message:
        'The Service has IPv4 only, as this cluster gives it no more: hosts of IPv6 are not reached through its cluster IP',
    })
    const asked = { families: ['IPv6'], familyPolicy: 'SingleStack' } as const
    expect(dualStack(asked)?.message).toContain(
      'as spec.ipFamilyPolicy is SingleStack: hosts of IPv4',
    )
  })

  test('not when the hosts are of one, nothing is known, or the Service was not written', () => {
    expect(dualStack({ hosts: calm.hosts, families: ['IPv4'] })).toBeUndefined()
    expect(dualStack({ families: [] })).toBeUndefined()
    expect(dualStack({ families: ['IPv4'], service: undefined })).toBeUndefined()
  })
})
