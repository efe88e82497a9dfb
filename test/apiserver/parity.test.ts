// Keeps this server honest: the same requests to it and to a real kube-apiserver get the same answers,
// but for ids, times, and what differs from 1.20 to 1.36. Every row is a scenario.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type ControlPlane, startControlPlane } from '../controlplane/controlplane.ts'
import { versionOf } from '../controlplane/layout.ts'
import { findBinaries } from '../controlplane/provision.ts'
import { isList, isMap, type Json, type JsonMap } from './json.ts'
import { APPLY, oldScenarios, plainCrd, type Request, scenarios } from './parity-scenarios.ts'
import { port, SERVICES, service } from './samples.ts'
import { type ApiServer, startApiServer } from './server.ts'

const found = findBinaries()
if (!found.ok) console.error(`SKIPPED: parity.test.ts: ${found.why}. Remedy: ${found.remedy}`)

const isOld = found.ok && versionOf(found.binaries).startsWith('v1.20.')

describe.skipIf(!found.ok)('this server answers as a real one does:', () => {
  let real: ControlPlane
  let own: ApiServer

  beforeAll(async () => {
    real = await startControlPlane()
    own = startApiServer()
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
    const body = JSON.stringify(plainCrd)
    await real.request(path, { method: 'POST', body, headers: JSON_HEADERS })
    own.store.create(plainCrd)
    // The real one serves a new resource a moment later, and publishes its schema after another.
    const isPublished = async () =>
      (await (await real.request('/openapi/v2')).text()).includes('com.example.v1.Widget')
    while (!(await isPublished())) await Bun.sleep(100)
  }, 120_000)

  afterAll(async () => {
    own.stop()
    await real.stop()
  }, 60_000)

  test.each(scenarios)('%s', async (_, requests) => {
    for (const request of requests) await compare(request, (answer) => answer)
  })

  test.skipIf(!isOld).each(oldScenarios)('%s, on 1.20', async (_, requests) => {
    for (const request of requests) await compare(request, (answer) => answer)
  })

  test('200 random applies of one Service by three managers end alike, one by one', async () => {
    const random = randomSource(20261122)
    for (let count = 0; count < 200; count += 1) {
      const force = random(4) > 0 ? '&force=true' : ''
      const path = `${SERVICES}/random?fieldManager=m${random(3)}${force}`
      await compare(['PATCH', path, randomService(random), APPLY], sorted)
    }
  }, 60_000)

  async function compare(request: Request, view: (answer: Json) => Json): Promise<void> {
    const [method, path, body = null] = request
    const [theirs, ours] = await Promise.all([
      ask((url, init) => real.request(url, init), request),
      ask((url, init) => fetch(own.url + url, init), request),
    ])
    const seen = ({ status, answer }: Reply) => ({
      method,
      path,
      body,
      status,
      answer: view(answer),
    })
    expect(seen(ours)).toEqual(seen(theirs))
  }
})

const JSON_HEADERS = { 'Content-Type': 'application/json' }

interface Reply {
  readonly status: number
  readonly answer: Json
}

async function ask(
  send: (path: string, init: RequestInit) => Promise<Response>,
  [method, path, body, type = 'application/json']: Request,
): Promise<Reply> {
  const headers = { 'Content-Type': type, 'User-Agent': 'tester/1.0' }
  const init = body === undefined ? {} : { body: JSON.stringify(body) }
  const reply = await send(path, { method, headers, ...init })
  const text = await reply.text()
  const isJson = reply.headers.get('content-type')?.startsWith('application/json') === true
  return { status: reply.status, answer: isJson ? masked(JSON.parse(text)) : text }
}

/** Values that differ from server to server. */
const CHANGING = new Set([
  ...['uid', 'resourceVersion', 'creationTimestamp', 'deletionTimestamp'],
  ...['clusterIP', 'clusterIPs'],
])
/**
 * Fields that only 1.20, or only newer servers have, or not without a feature gate. An owner has no
 * `time` on newer ones once another has taken fields from it.
 */
const UNCERTAIN = new Set([
  ...['internalTrafficPolicy', 'ipFamilies', 'ipFamilyPolicy', 'subresource', 'selfLink', 'time'],
  ...['f:internalTrafficPolicy', 'f:ipFamilies', 'f:ipFamilyPolicy'],
])

const UID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
/** What newer servers say, and what 1.20 says in its place. */
const REWORDED: readonly (readonly [RegExp, string])[] = [
  [/(?<=typed patch object) \(.*?\)(?=:)/, ''],
  [
    /omits all key fields \["(\w+)"\] \(and doesn't have default values for any key fields\)/,
    `omits key field "$1" (and doesn't have default value)`,
  ],
  [/(?<=Invalid value: )0(?=: must be specified for an update)/, '0x0'],
  [/^FieldValueTypeInvalid$/, 'FieldValueInvalid'],
]

function masked(value: Json): Json {
  if (typeof value === 'string') return inOldWords(value.replaceAll(UID, '<uid>'))
  if (isList(value)) return value.map(masked)
  if (!isMap(value)) return value
  const entries = Object.entries(value).filter(([key]) => !UNCERTAIN.has(key))
  return Object.fromEntries(
    entries.map(([key, item]) => [key, CHANGING.has(key) ? '*' : masked(item)]),
  )
}

function inOldWords(text: string): string {
  return REWORDED.reduce((said, [words, old]) => said.replace(words, old), text)
}

/** A line of a conflict's text, whichever manager is named first. */
function bare(line: string): string {
  return line.replace(/^Apply failed with \d+ conflicts: /, '').replace(/[:"]+$/, '')
}

type Random = (below: number) => number

/** The same numbers every time: a failure can be repeated. */
function randomSource(seed: number): Random {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return (state >> 8) % below
  }
}

function randomService(random: Random): JsonMap {
  const some = <T>(items: readonly T[]) => items.filter(() => random(2) === 1)
  const texts = () =>
    Object.fromEntries([...some(['a', 'b', 'c']), 'd'].map((key) => [key, String(random(3))]))
  const ports = some([80, 81, 82]).map((number) => {
    return { ...port(`p${number}`, number), targetPort: number + random(2) }
  })
  const metadata = random(2) === 1 ? { labels: texts(), annotations: texts() } : {}
  return service('random', ports, metadata)
}

/**
 * The order of merged lists, and of equal causes, is not the same in every version; that of managers
 * in the text of a conflict, which were seen in the same second, not even in every run.
 */
function sorted(value: Json): Json {
  if (typeof value === 'string' && value.includes('\n'))
    return value.split('\n').map(bare).toSorted()
  if (isList(value)) {
    return value.map(sorted).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  }
  if (!isMap(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .toSorted()
      .map((key) => [key, sorted(value[key] ?? null)]),
  )
}
