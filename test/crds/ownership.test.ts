import { describe, expect, test } from 'bun:test'
import { FIELD_MANAGER } from '../../crds/metadata.ts'
import { foreignItems, ownedKeys, portItemKey, takeItems } from '../../crds/ownership.ts'
import { PORTS_PATH } from '../../crds/service.ts'
import { kubectlEntry, ourEntry, portKey, wholePort } from './live.ts'

const LABELS = ['f:metadata', 'f:labels']

function take(managedFields: readonly unknown[], ports: readonly number[]): unknown[] {
  return takeItems(
    managedFields,
    FIELD_MANAGER,
    PORTS_PATH,
    ports.map((port) => portKey(port)),
  )
}

function foreign(managedFields: readonly unknown[], ports: readonly number[]): string[] {
  return foreignItems(
    managedFields,
    FIELD_MANAGER,
    PORTS_PATH,
    ports.map((port) => portKey(port)),
  )
}

describe('portItemKey()', () => {
  test('is written as the API server writes it', () => {
    expect(portItemKey(80, 'TCP')).toBe('k:{"port":80,"protocol":"TCP"}')
  })
})

describe('ownedKeys()', () => {
  const ours = ourEntry([], { 'f:labels': { '.': {}, 'f:a': {}, 'f:b/c.d': {}, 'k:{"x":1}': {} } })
  const rows: readonly [
    name: string,
    managedFields: readonly unknown[],
    keys: readonly string[],
  ][] = [
    ['the fields under the path', [ours], ['a', 'b/c.d']],
    ['ours among others', [kubectlEntry([80]), ours], ['a', 'b/c.d']],
    ['none where we applied nothing', [kubectlEntry([80])], []],
    ['none where there are no entries', [], []],
    ['none of an update under our name', [{ ...ours, operation: 'Update' }], []],
    ['none of another manager', [{ ...ours, manager: 'kubectl' }], []],
    ['none of a subresource', [{ ...ours, subresource: 'status' }], []],
    ['ours with an empty subresource', [{ ...ours, subresource: '' }], ['a', 'b/c.d']],
    ['none where the path does not lead', [ourEntry([80], { 'f:labels': undefined })], []],
    ['none of what is no tree of fields', [{ ...ours, fieldsV1: { 'f:metadata': 7 } }], []],
    ['ours beside what cannot be read', [null, 'x', 7, [], {}, ours], ['a', 'b/c.d']],
  ]
  for (const [name, managedFields, keys] of rows) {
    test(`are ${name}`, () => {
      expect(ownedKeys(managedFields, FIELD_MANAGER, LABELS)).toEqual([...keys])
    })
  }
})

describe('foreignItems()', () => {
  const rows: readonly [
    name: string,
    managedFields: readonly unknown[],
    foreign: readonly number[],
  ][] = [
    ['nothing that we alone own', [ourEntry([80, 81])], []],
    ['what only another owns', [ourEntry([80]), kubectlEntry([81])], [81]],
    ['what we share', [ourEntry([80, 81]), kubectlEntry([81])], [81]],
    [
      'what two others own',
      [kubectlEntry([80]), { ...kubectlEntry([80]), manager: 'x' }],
      [80, 81],
    ],
    ['what nobody owns', [ourEntry([80])], [81]],
    ['everything where there are no entries', [], [80, 81]],
    ['what our own update owns', [{ ...ourEntry([80, 81]), operation: 'Update' }], [80, 81]],
    [
      'what another owns a part of',
      [
        ourEntry([80, 81]),
        {
          ...kubectlEntry([]),
          fieldsV1: { 'f:spec': { 'f:ports': { [portKey(80)]: { 'f:nodePort': {} } } } },
        },
      ],
      [80],
    ],
  ]
  for (const [name, managedFields, ports] of rows) {
    test(`are ${name}`, () => {
      expect(foreign(managedFields, [80, 81])).toEqual(ports.map((port) => portKey(port)))
    })
  }

  test('are only of the items that were asked for', () => {
    expect(foreign([kubectlEntry([80, 81, 82])], [81])).toEqual([portKey(81)])
  })
})

describe('takeItems()', () => {
  test('before our first apply takes from kubectl only what must go', () => {
    // A Service made by `kubectl apply` with ports 80 (old) and 81 (keep); only 81 is wanted.
    const { fieldsV1, ...kubectl } = kubectlEntry([80, 81])
    expect(take([{ ...kubectl, fieldsV1 }], [80])).toEqual([
      {
        ...kubectl,
        fieldsV1: {
          'f:metadata': fieldsV1['f:metadata'],
          'f:spec': {
            'f:ports': { '.': {}, [portKey(81)]: wholePort },
            'f:sessionAffinity': {},
            'f:type': {},
          },
        },
      },
      {
        manager: FIELD_MANAGER,
        operation: 'Apply',
        apiVersion: 'v1',
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:spec': { 'f:ports': { [portKey(80)]: { '.': {} } } } },
      },
    ])
  })

  test('after our apply adds what must go to what we own', () => {
    const ours = ourEntry([81])
    expect(take([kubectlEntry([80, 81]), ours], [80]).at(-1)).toEqual({
      ...ours,
      fieldsV1: {
        ...ours.fieldsV1,
        'f:spec': { 'f:ports': { [portKey(81)]: wholePort, [portKey(80)]: { '.': {} } } },
      },
    })
  })

  test('takes an item from everybody who owns it', () => {
    const taken = take(
      [kubectlEntry([80]), { ...kubectlEntry([80]), manager: 'helm' }, ourEntry([81])],
      [80],
    )
    expect(taken).toHaveLength(3)
    for (const entry of taken.slice(0, 2)) expect(JSON.stringify(entry)).not.toContain('"port')
    expect(foreign(taken, [80])).toEqual([])
  })

  test('takes what nobody owns', () => {
    const taken = take([ourEntry([81])], [80])
    expect(foreign(taken, [80, 81])).toEqual([])
  })

  test('removes the entry of who owned nothing else', () => {
    const { fieldsV1: _, ...kubectl } = kubectlEntry([])
    const only = {
      ...kubectl,
      fieldsV1: { 'f:spec': { 'f:ports': { '.': {}, [portKey(80)]: wholePort } } },
    }
    expect(take([only], [80])).toHaveLength(1)
    expect(JSON.stringify(take([only], [80]))).not.toContain('kubectl')
  })

  test('leaves nodePorts of kept ports and everything else to whom it belongs', () => {
    const other = {
      manager: 'kube-controller-manager',
      operation: 'Update',
      apiVersion: 'v1',
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:metadata': { 'f:annotations': { 'f:example.com/pool': {} } },
        'f:spec': {
          'f:ports': { [portKey(81)]: { 'f:nodePort': {} } },
          'f:externalTrafficPolicy': {},
        },
      },
    }
    const status = {
      manager: 'kube-controller-manager',
      operation: 'Update',
      subresource: 'status',
      apiVersion: 'v1',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:status': { 'f:loadBalancer': {} } },
    }
    const taken = take([other, status, kubectlEntry([80, 81]), ourEntry([81])], [80])
    expect(taken.slice(0, 2)).toEqual([other, status])
  })

  test('leaves what it cannot read as it is', () => {
    const strange = [7, 'x', { manager: 7 }, { manager: 'old', fieldsType: 'FieldsV1' }]
    expect(take([...strange, kubectlEntry([80])], [80]).slice(0, 4)).toEqual(strange)
  })

  const starts: readonly [name: string, managedFields: readonly unknown[]][] = [
    ['nothing', []],
    ['kubectl alone', [kubectlEntry([80, 81])]],
    ['kubectl and us', [kubectlEntry([80, 81]), ourEntry([81])]],
    ['us first', [ourEntry([80, 81]), kubectlEntry([80, 81])]],
    ['an update under our name', [{ ...ourEntry([80, 81]), operation: 'Update' }]],
  ]
  for (const [name, managedFields] of starts) {
    test(`from ${name}: a second time changes nothing, and nothing foreign is left`, () => {
      const once = take(managedFields, [80])
      expect(take(once, [80])).toEqual(once)
      expect(foreign(once, [80])).toEqual([])
    })
    test(`from ${name}: does not change what it was given`, () => {
      const before = structuredClone(managedFields)
      take(managedFields, [80])
      expect(managedFields).toEqual(before)
    })
    test(`from ${name}: of no items makes nobody lose anything`, () => {
      const taken = take(managedFields, [])
      for (const entry of managedFields) {
        const isOurs = JSON.stringify(entry).includes('"Apply"')
        if (!isOurs) expect(taken).toContainEqual(entry)
      }
      expect(foreign(taken, [80, 81])).toEqual(foreign(managedFields, [80, 81]))
    })
  }
})
