import { describe, expect, test } from 'bun:test'
import { frame } from './frame.ts'
import type { HostView, Picture } from './picture.ts'
import { newScene, type Scene } from './scene.ts'
import { rendered } from './text.ts'

const PICTURE: Picture = {
  command: 'kubectl get cep,svc,ep shop',
  tables: [
    [
      ['NAME', 'STATUS'],
      ['clusterendpoint.sealos.io/shop', 'UnHealthy'],
    ],
    [
      ['NAME', 'TYPE'],
      ['service/shop', 'ClusterIP'],
    ],
  ],
}

const HOSTS: readonly HostView[] = [
  { port: 'db', kind: 'TCP', host: '10.0.0.1:5432', isHealthy: true, reason: '', since: '' },
  {
    ...{ port: 'db', kind: 'TCP', host: '10.0.0.2:5432', isHealthy: false },
    ...{ reason: 'connect ECONNREFUSED', since: '2026-11-22T20:00:00Z' },
  },
]

function scene(more: Partial<Scene> = {}): Scene {
  return { ...newScene(), startedMs: 0, now: 'Killing', hosts: () => HOSTS, ...more }
}

function textOf(rows: number, more: Partial<Scene> = {}, isLast = false): string[] {
  const wallMs = Date.parse('2026-11-22T20:00:07Z')
  const options = { picture: PICTURE, columns: 80, rows, nowMs: 12_900, wallMs, isLast }
  return frame(scene(more), options).map((line) =>
    rendered(line, { columns: 80, isColoured: false }),
  )
}

describe('frame()', () => {
  test('shows the hosts with what is known of them', () => {
    expect(textOf(40)).toContain(
      '  db     TCP    10.0.0.2:5432   Out       connect ECONNREFUSED   7s',
    )
  })

  test('leaves out the introduction first, then what kubectl prints, and never the hosts', () => {
    const has = (rows: number, text: string) => textOf(rows).some((line) => line.includes(text))
    const full = textOf(Number.POSITIVE_INFINITY).length
    expect(has(full, 'Pods of a cluster')).toBe(true)
    expect(has(full - 1, 'Pods of a cluster')).toBe(false)
    expect(has(full - 1, '$ kubectl')).toBe(true)
    expect(has(full - 6, '$ kubectl')).toBe(false)
    expect(has(full - 6, '10.0.0.2:5432')).toBe(true)
  })

  test('never has more lines than there is room for', () => {
    for (let rows = 1; rows < 40; rows++) {
      expect(textOf(rows).length).toBeLessThanOrEqual(rows)
      expect(textOf(rows, { isOver: true }).length).toBeLessThanOrEqual(rows)
    }
  })

  test('ends without what is being done', () => {
    expect(textOf(40).at(-1)).toBe('  Killing')
    expect(textOf(40, {}, true).at(-1)).toContain('10.0.0.2:5432')
  })
})
