// Events: one for what happened at once, counted up when it happens again, never a flood.

import { describe, expect, test } from 'bun:test'
import * as v from 'valibot'
import { parseClusterEndpoint } from '../../crds/clusterendpoint.ts'
import type { HostTarget } from '../../crds/targets.ts'
import { createRecorder, type Transition } from '../../k8s/events.ts'

const eventSchema = v.looseObject({ reason: v.string(), type: v.string(), message: v.string() })

function cepOf(name = 'web') {
  return parseClusterEndpoint({
    metadata: { name, namespace: 'ns', uid: `uid-${name}`, resourceVersion: '7' },
  })
}

function transition(n: number, isHealthy = false, reason = 'connect ECONNREFUSED'): Transition {
  const target: HostTarget = {
    key: `http/TCP/80/8080/10.0.0.${n}`,
    servicePort: { name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 },
    host: `10.0.0.${n}`,
    port: 8080,
    probe: { kind: 'tcp' },
    timeoutMs: 1_000,
    periodMs: 10_000,
    fastPeriodMs: 1_000,
    successThreshold: 1,
    failureThreshold: 3,
  }
  return { target, isHealthy, reason: isHealthy ? '' : reason }
}

/** A recorder whose API server answers at once, or when the test opens the gate. */
function watched(gate: Promise<unknown> = Promise.resolve()) {
  let nowMs = Date.parse('2026-11-22T12:00:00Z')
  const posted: v.InferOutput<typeof eventSchema>[] = []
  const patched: { readonly name: string; readonly patch: unknown }[] = []
  const debug: string[] = []
  const silent = () => {}
  const recorder = createRecorder(
    {
      postEvent: async (_, event) => {
        posted.push(v.parse(eventSchema, event))
        const name = `web.${posted.length}`
        await gate
        return { metadata: { name } }
      },
      patchEvent: async ({ name }, patch) => void patched.push({ name, patch }),
    },
    { error: silent, warn: silent, info: silent, debug: (message) => debug.push(message) },
    'pod-1',
    () => nowMs,
  )
  const pass = async (ms: number) => {
    nowMs += ms
    // What was answered has been taken in.
    await Bun.sleep(0)
  }
  return { recorder, posted, patched, debug, pass }
}

describe('tell()', () => {
  test('writes what kubectl describe shows', () => {
    const { recorder, posted } = watched()
    recorder.tell(cepOf(), [transition(1)])
    expect(posted).toEqual([
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { namespace: 'ns', generateName: 'web.' },
        involvedObject: {
          apiVersion: 'sealos.io/v1beta1',
          kind: 'ClusterEndpoint',
          namespace: 'ns',
          name: 'web',
          uid: 'uid-web',
          resourceVersion: '7',
        },
        type: 'Warning',
        reason: 'HostUnhealthy',
        message: 'http 10.0.0.1:8080 (connect ECONNREFUSED)',
        count: 1,
        firstTimestamp: '2026-11-22T12:00:00Z',
        lastTimestamp: '2026-11-22T12:00:00Z',
        source: { component: 'endpoints-operator', host: 'pod-1' },
        reportingComponent: 'sealos.io/endpoints-operator',
        reportingInstance: 'pod-1',
      },
    ])
  })

  const cases: readonly {
    readonly name: string
    readonly transitions: readonly Transition[]
    readonly told: readonly (readonly [type: string, reason: string, message: string])[]
  }[] = [
    { name: 'nothing of nothing', transitions: [], told: [] },
    {
      name: 'one event for all that went the same way',
      transitions: [transition(1), transition(2)],
      told: [
        [
          'Warning',
          'HostUnhealthy',
          'http 10.0.0.1:8080 (connect ECONNREFUSED), http 10.0.0.2:8080 (connect ECONNREFUSED)',
        ],
      ],
    },
    {
      name: 'two when some came and some went',
      transitions: [transition(1, true), transition(2)],
      told: [
        ['Warning', 'HostUnhealthy', 'http 10.0.0.2:8080 (connect ECONNREFUSED)'],
        ['Normal', 'HostHealthy', 'http 10.0.0.1:8080'],
      ],
    },
    {
      name: 'of a host that went and came, where it ended',
      transitions: [transition(1), transition(1, true)],
      told: [['Normal', 'HostHealthy', 'http 10.0.0.1:8080']],
    },
    {
      name: 'five hosts by name and the others by number',
      transitions: Array.from({ length: 400 }, (_, n) => transition(n, true)),
      told: [
        [
          'Normal',
          'HostHealthy',
          `${[0, 1, 2, 3, 4].map((n) => `http 10.0.0.${n}:8080`).join(', ')} and 395 more`,
        ],
      ],
    },
  ]
  for (const { name, transitions, told } of cases) {
    test(`tells ${name}`, () => {
      const { recorder, posted } = watched()
      recorder.tell(cepOf(), transitions)
      expect(posted.map(({ type, reason, message }) => [type, reason, message])).toEqual(
        told.map((each) => [...each]),
      )
    })
  }
})

describe('the same again', () => {
  test('counts up, for ten minutes', async () => {
    const { recorder, posted, patched, pass } = watched()
    recorder.tell(cepOf(), [transition(1)])
    await pass(1_000)
    recorder.tell(cepOf(), [transition(1)])
    await pass(599_000)
    recorder.tell(cepOf(), [transition(1)])
    expect(posted).toHaveLength(1)
    expect(patched).toEqual([
      { name: 'web.1', patch: { count: 2, lastTimestamp: '2026-11-22T12:00:01Z' } },
      { name: 'web.1', patch: { count: 3, lastTimestamp: '2026-11-22T12:10:00Z' } },
    ])
  })

  test('is a new one after that', async () => {
    const { recorder, posted, patched, pass } = watched()
    recorder.tell(cepOf(), [transition(1)])
    await pass(600_000)
    recorder.tell(cepOf(), [transition(1)])
    expect([posted.length, patched.length]).toEqual([2, 0])
  })

  test('is not the same for another reason, host or resource', async () => {
    const { recorder, posted, pass } = watched()
    recorder.tell(cepOf(), [transition(1)])
    await pass(1)
    recorder.tell(cepOf(), [transition(1, false, 'timeout after 1s')])
    recorder.tell(cepOf(), [transition(2)])
    recorder.tell(cepOf('db'), [transition(1)])
    expect(posted).toHaveLength(4)
  })
})

describe('limits', () => {
  test('25 in a burst for one resource, then one a minute; others have their own', async () => {
    const { recorder, posted, pass } = watched()
    for (let n = 0; n < 100; n++) {
      recorder.warn(cepOf(), 'Reason', `message ${n}`)
      await pass(0)
    }
    expect(posted).toHaveLength(25)
    recorder.warn(cepOf('db'), 'Reason', 'message')
    expect(posted).toHaveLength(26)
    await pass(59_000)
    recorder.warn(cepOf(), 'Reason', 'too soon')
    expect(posted).toHaveLength(26)
    await pass(1_000)
    recorder.warn(cepOf(), 'Reason', 'now')
    recorder.warn(cepOf(), 'Reason', 'not yet again')
    expect(posted).toHaveLength(27)
    await pass(24 * 3_600_000)
    for (let n = 0; n < 100; n++) {
      recorder.warn(cepOf(), 'Reason', `next day ${n}`)
      await pass(0)
    }
    expect(posted).toHaveLength(27 + 25)
  })

  test('a time of day that goes back neither lifts them nor holds them for long', async () => {
    const { recorder, posted, pass } = watched()
    for (let n = 0; n < 20; n++) {
      recorder.warn(cepOf(), 'Reason', `message ${n}`)
      await pass(0)
    }
    await pass(-3_600_000)
    for (let n = 20; n < 100; n++) {
      recorder.warn(cepOf(), 'Reason', `message ${n}`)
      await pass(0)
    }
    expect(posted).toHaveLength(25)
    await pass(60_000)
    recorder.warn(cepOf(), 'Reason', 'a minute later')
    expect(posted).toHaveLength(26)
  })

  test('64 under way at once: an API server that hangs is not flooded', async () => {
    const gate = Promise.withResolvers<void>()
    const { recorder, posted, pass } = watched(gate.promise)
    for (let n = 0; n < 100; n++) recorder.warn(cepOf(`web-${n}`), 'Reason', 'message')
    expect(posted).toHaveLength(64)
    gate.resolve()
    await pass(0)
    recorder.warn(cepOf('another'), 'Reason', 'message')
    expect(posted).toHaveLength(65)
  })

  test('an event that was lost harms nobody and is told at debug', async () => {
    const failure = Promise.reject(new Error('refused'))
    failure.catch(() => {})
    const { recorder, debug, pass } = watched(failure)
    recorder.tell(cepOf(), [transition(1)])
    await pass(0)
    expect(debug).toEqual(['cannot write event'])
  })

  test('a resource that is forgotten begins anew', async () => {
    const { recorder, posted, pass } = watched()
    for (let n = 0; n < 30; n++) {
      recorder.warn(cepOf(), 'Reason', `message ${n}`)
      await pass(0)
    }
    recorder.forget(cepOf())
    recorder.warn(cepOf(), 'Reason', 'another life')
    expect(posted).toHaveLength(26)
  })
})
