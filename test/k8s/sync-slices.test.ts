// Slices that we do not know to be there: written only where nothing is, against an API server in words.

import { describe, expect, test } from 'bun:test'
import { parseClusterEndpoint } from '../../crds/clusterendpoint.ts'
import { desiredSlices, type JudgedTarget } from '../../crds/slices.ts'
import type { ApiRequest } from '../../k8s/client.ts'
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

type World = {
  readonly desired: ReturnType<typeof slicesOf>
  /** Slices that stand, though we do not know it. */
  readonly standing?: readonly { readonly metadata: { readonly name: string } }[]
  readonly wasRefused?: boolean
  readonly trouble?: Error
}

/** Writes slices of which none is known; `asked` is each request in order. */
function write({ desired, standing = [], wasRefused = false, trouble }: World) {
  const asked: string[] = []
  const client = {
    request: async ({ method, path, body }: ApiRequest) => {
      const name = path.slice(path.lastIndexOf('/') + 1)
      const isForNothing = JSON.stringify(body ?? {}).includes('"resourceVersion":"1"')
      asked.push(`${method} ${name}${isForNothing ? ' if there is none' : ''}`)
      if (trouble) throw trouble
      const found = standing.find(({ metadata }) => metadata.name === name)
      if (found && isForNothing) throw new ApiError(409, 'Conflict', `there is a ${name}`)
      if (!found && method === 'GET') throw new ApiError(404, 'NotFound', `there is no ${name}`)
      return method === 'GET' ? found : body
    },
    stream: async () => await Promise.reject(new Error('Cannot watch')),
    whenReachable: async () => {},
  }
  const { signal } = new AbortController()
  const silent = () => {}
  const done = syncSlices(
    {
      client,
      signal,
      writer: createWriter(client, { signal, mayWrite: () => true }),
      log: { error: silent, warn: silent, info: silent, debug: silent },
      slices: { apiVersion: () => 'discovery.k8s.io/v1', of: () => [], learn: silent },
    },
    cep,
    { desired, standing: [], wasRefused },
  )
  return { done, asked }
}

describe('slices that are not known to be there', () => {
  const desired = slicesOf(3)
  const names = desired.map(({ metadata }) => metadata.name)
  const [first, second, third] = desired
  if (!first || !second || !third) throw new Error('Cannot do with fewer slices')
  const { ownerReferences: _, ...metadata } = second.metadata
  const theirs = { ...second, metadata: { ...metadata, uid: 'v', resourceVersion: '7' } }
  const ours = { ...second, metadata: { ...second.metadata, uid: 'v', resourceVersion: '7' } }

  test('are written in one request each, which touches nothing that is there', async () => {
    const { done, asked } = write({ desired })
    expect(await done).toBeUndefined()
    expect(asked).toEqual(names.map((name) => `PATCH ${name} if there is none`))
  })

  test('are left alone if somebody else made them, though they say the very same', async () => {
    const { done, asked } = write({ desired, standing: [theirs] })
    const refusal = await done
    expect(refusal?.reason).toBe('ControlledByOther')
    expect(refusal?.message).toContain(metadata.name)
    expect(asked).toEqual([
      `PATCH ${names[0]} if there is none`,
      `PATCH ${names[1]} if there is none`,
      `GET ${names[1]}`,
      `PATCH ${names[2]} if there is none`,
    ])
  })

  test('are put right if they are ours and were robbed of their label', async () => {
    const { done, asked } = write({ desired: [second], standing: [ours] })
    expect(await done).toBeUndefined()
    expect(asked).toEqual([
      `PATCH ${names[1]} if there is none`,
      `GET ${names[1]}`,
      `PATCH ${names[1]}`,
    ])
  })

  test('are looked for first where one was refused: nothing is tried again and again', async () => {
    const { done, asked } = write({ desired: [second], standing: [theirs], wasRefused: true })
    expect((await done)?.reason).toBe('ControlledByOther')
    expect(asked).toEqual([`GET ${names[1]}`])
  })

  test('are tried no further once the API server is in trouble', async () => {
    const { done, asked } = write({ desired, trouble: new ApiError(500, '', 'etcd has gone') })
    await expect(done).rejects.toThrow('etcd has gone')
    expect(asked).toHaveLength(1)
  })
})
