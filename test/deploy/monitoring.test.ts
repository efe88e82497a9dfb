// The dashboard and the alert rules ask for metrics and labels that the operator really serves.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { startTcp } from '../backends/tcp.ts'
import { commandPath } from '../controlplane/command-path.ts'
import { createApi } from '../integration/api.ts'
import { eventually } from '../integration/eventually.ts'
import { startInProcessWorld } from '../integration/in-process-world.ts'
import { clusterEndpoint, tcpPort } from '../integration/manifests.ts'
import { startOperator } from '../integration/operator.ts'
import { type Sample, samples } from '../integration/prometheus.ts'
import { nodesIn } from './documents.ts'

const FOLDER = join(import.meta.dir, '../../deploy/monitoring')
const RULES = join(FOLDER, 'rules.yaml')
/** Prometheus itself adds these when it scrapes a pod. */
const SCRAPED = ['instance', 'pod']
const START_MAX_MS = 30_000
const TOLD_MAX_MS = 10_000

const rules: unknown = Bun.YAML.parse(await Bun.file(RULES).text())
const dashboard: unknown = JSON.parse(await Bun.file(join(FOLDER, 'dashboard.json')).text())

type Query = {
  readonly where: string
  readonly expr: string
  /** Texts that name labels of the result. */
  readonly texts: readonly string[]
}

const queries = [...queriesOf(rules, 'alert'), ...queriesOf(dashboard, 'legendFormat')]

describe('deploy/monitoring', () => {
  let served: readonly Sample[] = []
  const stack = new AsyncDisposableStack()

  beforeAll(async () => {
    const world = await startInProcessWorld()
    stack.defer(() => world.stop())
    const [host] = world.hosts
    const backend = await startTcp({ host, port: 0 })
    stack.defer(() => backend.kill())
    await createApi(world).create(
      { plural: 'clusterendpoints', namespace: 'default' },
      clusterEndpoint('web', { ports: [tcpPort('tcp', backend.port, [host])] }),
    )
    const operator = await startOperator(world.operatorKubeconfig, world.operatorArgs)
    stack.defer(async () => {
      await operator.stop()
    })
    await eventually(TOLD_MAX_MS, async () => {
      served = await samples(operator.metricsUrl)
      expect(served.map(({ name }) => name)).toContain('cep_check_duration_seconds_bucket')
    })
  }, START_MAX_MS)

  afterAll(() => stack.disposeAsync(), START_MAX_MS)

  /** The labels of a metric; undefined if it is not served. */
  function labelsOf(metric: string): ReadonlySet<string> | undefined {
    const found = served.filter(({ name }) => name === metric)
    if (found.length === 0) return undefined
    return new Set([...found.flatMap(({ labels }) => [...labels.keys()]), ...SCRAPED])
  }

  test('has rules and panels, all with expressions', () => {
    expect(queries.length).toBeGreaterThan(25)
    for (const { where, expr } of queries) {
      expect({ where, metrics: metricsIn(expr).length > 0 }).toEqual({ where, metrics: true })
    }
  })

  test('asks for metrics and labels that are served', () => {
    for (const { where, expr, texts } of queries) {
      for (const metric of metricsIn(expr)) {
        expect({ where, metric, isServed: labelsOf(metric) !== undefined }).toEqual({
          where,
          metric,
          isServed: true,
        })
      }
      for (const [metric, labels] of selectorsIn(expr)) {
        const unknown = labels.filter((label) => !labelsOf(metric)?.has(label))
        expect({ where, metric, unknown }).toEqual({ where, metric, unknown: [] })
      }
      const known = new Set(metricsIn(expr).flatMap((metric) => [...(labelsOf(metric) ?? [])]))
      const named = [...groupingsIn(expr), ...texts.flatMap(labelsIn)]
      expect({ where, unknown: named.filter((label) => !known.has(label)) }).toEqual({
        where,
        unknown: [],
      })
    }
  })

  test('leaves no metric of ours out of sight', () => {
    const shown = new Set(queries.flatMap(({ expr }) => metricsIn(expr)))
    const families = served.map(({ name }) => name.replace(/_(?:sum|count)$/, '_bucket'))
    // Its sum is that of the failed and the successful ones.
    const derived = new Set(['cep_num_checked'])
    expect([...new Set(families)].filter((name) => !shown.has(name) && !derived.has(name))).toEqual(
      [],
    )
  })

  test('the panels have ids of their own and lie beside each other', () => {
    const panels = nodesIn(dashboard).filter(({ gridPos }) => gridPos !== undefined)
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const places = panels.map(({ gridPos }) => JSON.stringify(gridPos))
    expect(new Set(places).size).toBe(panels.length)
  })

  promtoolTest()
})

function promtoolTest(): void {
  const name = 'promtool finds nothing wrong with the rules'
  const program = process.env.PROMTOOL || commandPath('promtool')
  if (!program) {
    console.error(
      `SKIPPED: ${name}: there is no promtool. Remedy: install it (in Debian's package prometheus), or set PROMTOOL to its path`,
    )
    test.skip(name, () => {})
    return
  }
  test(name, () => {
    expect(existsSync(program)).toBe(true)
    const { exitCode, stdout, stderr } = Bun.spawnSync([program, 'check', 'rules', RULES])
    expect({ exitCode, said: `${stdout}${stderr}` }).toEqual({
      exitCode: 0,
      said: expect.stringContaining(
        `SUCCESS: ${nodesIn(rules).filter(({ alert }) => alert).length} rules found`,
      ),
    })
  })
}

/** All maps with an `expr` in `document`, named by `key`. */
function queriesOf(document: unknown, key: string): Query[] {
  return nodesIn(document).flatMap((node) => {
    if (typeof node.expr !== 'string') return []
    const texts = [node[key], ...Object.values(nodesIn(node.annotations)[0] ?? {})].map(String)
    return [{ where: `${texts[0]}: ${node.expr}`, expr: node.expr, texts }]
  })
}

function metricsIn(expr: string): string[] {
  return [...expr.matchAll(/\b(?:cep|process)_[a-z_]+/g)].map(([metric]) => metric)
}

/** `metric{label="x"}`: each metric with the labels that are asked of it. */
function selectorsIn(expr: string): [metric: string, labels: string[]][] {
  return [...expr.matchAll(/\b((?:cep|process)_[a-z_]+)\{([^}]*)\}/g)].map(
    ([, metric = '', inner = '']) => [
      metric,
      [...inner.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label),
    ],
  )
}

/** The labels of `by (...)` and `on (...)`. */
function groupingsIn(expr: string): string[] {
  return [...expr.matchAll(/\b(?:by|on)\s*\(([^)]*)\)/g)].flatMap(([, list = '']) =>
    list.split(',').map((label) => label.trim()),
  )
}

/** The labels in `{{name}}` and `{{ $labels.name }}`. */
function labelsIn(text: string): string[] {
  return [...text.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g)].map(([, label = '']) => label)
}
