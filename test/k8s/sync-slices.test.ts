// Slices that we do not know to be there: asked for before any is written, against an API server in words.

import { describe, expect, test } from 'bun:test'
import { parseClusterEndpoint } from '../../crds/clusterendpoint.ts'
import { desiredSlices, type JudgedTarget } from '../../crds/slices.ts'
import { ApiError } from '../../k8s/errors.ts'
import { syncSlices } from '../../k8s/sync-slices.ts'
import { createWriter } from '../../k8s/writer.ts'

const cep = parseClusterEndpoint({ metadata: { name: 'web', namespace: 'ns', uid: 'u' } })

/** A host at each of `count` ports of the Service: a slice each. */
function slicesOf(count: number) {
  const hosts = Array.from({ length: count }, (_, n): JudgedTarget => {
    const port = 80 + n
    const servicePort = { name: `p${n}`, protocol: 'TCP' as const, port, targetPort: port }
    const often = { timeoutMs: 1_000, periodMs: 10_000, fastPeriodMs: 1_000 }
    const thresholds = { successThreshold: 1, failureThreshold: 3 }
    const host = { key: `p${n}`, servicePort, host: '10.0.0.1', port, probe: undefined }
    return { target: { ...host, ...often, ...thresholds }, isHealthy: true }
  })
  return desiredSlices(cep, 'discovery.k8s.io/v1', hosts, [])
}

/** Writes slices of which none is known; `asked` is each request in order, and how many were under way. */
async function write(
  desired: ReturnType<typeof slicesOf>,
  standing: readonly unknown[] = [],
  asked: string[] = [],
  trouble?: Error,
) {
  let underWay = 0
  let most = 0
  const client = {
    request: async ({ method, path }: { readonly method: string; readonly path: string }) => {
      const name = path.slice(path.lastIndexOf('/') + 1)
      asked.push(`${method} ${name}`)
      underWay++
      most = Math.max(most, underWay)
      await Bun.sleep(1)
      underWay--
      if (trouble) throw trouble
      const named = [...standing, ...(method === 'PATCH' ? desired : [])]
      const found = named.find((slice) => JSON.stringify(slice).includes(`"name":"${name}"`))
      if (!found) throw new ApiError(404, 'NotFound', `there is no ${name}`)
      return found
    },
    stream: async () => await Promise.reject(new Error('Cannot watch')),
    whenReachable: async () => {},
  }
  const { signal } = new AbortController()
  const silent = () => {}
  const refusal = await syncSlices(
    {
      client,
      signal,
      writer: createWriter(client, { signal, mayWrite: () => true }),
      log: { error: silent, warn: silent, info: silent, debug: silent },
      slices: { apiVersion: () => 'discovery.k8s.io/v1', of: () => [], learn: silent },
    },
    cep,
    { desired, standing: [] },
  )
  return { refusal, asked, most }
}

describe('slices that are not known to be there', () => {
  test('are asked for side by side before the first is written', async () => {
    const { asked, most, refusal } = await write(slicesOf(4))
    expect(asked.map((each) => each.split(' ')[0])).toEqual([
      ...Array<string>(4).fill('GET'),
      ...Array<string>(4).fill('PATCH'),
    ])
    expect({ most, refusal }).toEqual({ most: 4, refusal: undefined })
  })

  test('are asked for four at a time: they never take the connections of others', async () => {
    const { asked, most } = await write(slicesOf(20))
    expect(asked).toHaveLength(40)
    expect(most).toBe(4)
  })

  test('are asked for no further once the API server is in trouble, and none is written', async () => {
    const asked: string[] = []
    const trouble = new ApiError(500, 'InternalError', 'etcd has gone')
    await expect(write(slicesOf(20), [], asked, trouble)).rejects.toThrow('etcd has gone')
    expect(asked.map((each) => each.split(' ')[0])).toEqual(Array<string>(4).fill('GET'))
  })

  test('are left alone if somebody else made them, though they say the very same', async () => {
    const desired = slicesOf(3)
    const [first, second, third] = desired
    if (!first || !second || !third) throw new Error('Cannot do with fewer slices')
    const { ownerReferences: _, ...metadata } = second.metadata
    const theirs = { ...second, metadata: { ...metadata, uid: 'v', resourceVersion: '1' } }
    const { asked, refusal } = await write(desired, [theirs])
    expect(refusal?.reason).toBe('ControlledByOther')
    expect(refusal?.message).toContain(metadata.name)
    expect(asked.filter((each) => each.startsWith('PATCH'))).toEqual(
      [first, third].map(({ metadata: { name } }) => `PATCH ${name}`),
    )
  })
})
