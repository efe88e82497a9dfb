// The install manifest as a text: what is checked in, what the binary prints, and what no manifest of ours may hold.

import { describe, expect, test } from 'bun:test'
import { crd } from '../../crds/generate.ts'
import { DEFAULT_INSTALL, installManifest } from '../../deploy/manifest/install.ts'
import { CLUSTER_RULES, LEASE_RULES } from '../../deploy/manifest/rbac.ts'
import { Noted, toYaml } from '../../deploy/manifest/yaml.ts'
import { version } from '../../package.json'
import { INSTALL_FILE } from '../integration/installed.ts'
import { operatorCommand } from '../integration/operator.ts'
import { documentsOf, nodesIn } from './documents.ts'

const checkedIn = await Bun.file(INSTALL_FILE).text()

function printed(args: readonly string[]) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...operatorCommand(), 'manifests', ...args])
  return { code: exitCode, out: stdout.toString(), err: stderr.toString() }
}

/** `Kind namespace/name` of each object. */
function names(text: string): string[] {
  return documentsOf(text).map(({ kind, metadata: { namespace = '', name } }) =>
    `${kind} ${namespace}/${name}`.replace(' /', ' '),
  )
}

describe('deploy/install.yaml', () => {
  test('is what the manifest is made to by the sources (run `bun run generate`)', () => {
    expect(checkedIn).toBe(installManifest(DEFAULT_INSTALL))
  })

  test('is what `endpoints-operator manifests` prints', () => {
    expect(printed([])).toEqual({ code: 0, out: checkedIn, err: '' })
  })

  test('has the CRD first, then what others depend on, and no ClusterEndpoint', () => {
    expect(names(checkedIn)).toEqual([
      'CustomResourceDefinition clusterendpoints.sealos.io',
      'ServiceAccount kube-system/endpoints-operator',
      'ClusterRole endpoints-operator',
      'ClusterRoleBinding endpoints-operator',
      'Role kube-system/endpoints-operator',
      'RoleBinding kube-system/endpoints-operator',
      'Service kube-system/endpoints-operator',
      'Deployment kube-system/endpoints-operator',
    ])
    expect<unknown>(documentsOf(checkedIn)[0]).toEqual(crd())
  })

  test('asks for this version, never for the latest', () => {
    const image = `labring/endpoints-operator-controller:v${version}`
    expect(documentsOf(checkedIn).at(-1)).toMatchObject({
      spec: { template: { spec: { containers: [{ image }] } } },
    })
    expect(checkedIn.includes('latest')).toBe(false)
  })

  test('names the protocol of every port, which server-side apply of old servers wants', () => {
    const ports = documentsOf(checkedIn)
      .filter(({ kind }) => kind !== 'CustomResourceDefinition')
      .flatMap(nodesIn)
      .filter((node) => 'containerPort' in node || 'targetPort' in node)
    expect(ports).toHaveLength(3)
    for (const port of ports) expect(port).toMatchObject({ protocol: 'TCP' })
  })

  test('grants no wildcard, to delete slices alone, and Leases by name only', () => {
    for (const rule of [...CLUSTER_RULES, ...LEASE_RULES]) {
      const words = [rule.apiGroup, ...rule.resources, ...Object.keys(rule.verbs)]
      expect(words).not.toContain('*')
      if (!rule.resources.includes('endpointslices')) expect(words).not.toContain('delete')
      expect(words).not.toContain('deletecollection')
      // A rule on a create of a Lease cannot name it.
      const isCreate = Object.keys(rule.verbs).join() === 'create'
      if (rule.resources.includes('leases') && !isCreate) expect(rule.names).toHaveLength(1)
    }
  })

  test('says of every right what it is for', () => {
    for (const { verbs } of [...CLUSTER_RULES, ...LEASE_RULES]) {
      for (const [verb, why] of Object.entries(verbs)) {
        expect({ why, isSaid: checkedIn.includes(`- ${verb} # ${why}\n`) }).toEqual({
          why,
          isSaid: true,
        })
        expect(why.length).toBeGreaterThan(10)
      }
    }
  })
})

describe('endpoints-operator manifests', () => {
  test('puts everything into a namespace of its own, held to the restricted standard', () => {
    const { out } = printed(['-n', 'cep-system', '--image', 'r.example:5000/a/b:1', '--replicas=1'])
    expect(documentsOf(out)[1]).toMatchObject({
      kind: 'Namespace',
      metadata: {
        name: 'cep-system',
        labels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
      },
    })
    expect(out.includes('kube-system')).toBe(false)
    expect(documentsOf(out).at(-1)).toMatchObject({
      kind: 'Deployment',
      spec: {
        replicas: 1,
        template: { spec: { containers: [{ image: 'r.example:5000/a/b:1' }] } },
      },
    })
    expect(names(out).filter((name) => name.includes('cep-system/'))).toHaveLength(5)
  })

  test('prints the CRD alone', async () => {
    const file = await Bun.file(new URL('../../crds/clusterendpoints.yaml', import.meta.url)).text()
    expect(printed(['--crd'])).toEqual({ code: 0, out: file, err: '' })
  })

  test('leaves the namespaces that every cluster has as they are', () => {
    for (const namespace of ['kube-system', 'kube-public', 'default']) {
      expect(printed(['-n', namespace]).out.includes('kind: Namespace')).toBe(false)
    }
  })

  const refused: readonly [args: readonly string[], err: RegExp][] = [
    [
      ['-n', 'Prod'],
      /--namespace must be up to 63 lower case letters, digits and dashes, not "Prod"/,
    ],
    [['-n', ''], /--namespace must be .*, not ""/],
    [['-n', `a${'b'.repeat(63)}`], /--namespace must be up to 63 /],
    [['--image', 'a b'], /--image must be a reference like host\/path\/name:tag, not "a b"/],
    [['--image', 'a:b:c'], /--image must be /],
    [['--image', 'x\nkind: Pod'], /--image must be .* not "x kind: Pod"/],
    [['--replicas', '0'], /--replicas must be a whole number from 1 to 100, not "0"/],
    [['--replicas', 'two'], /--replicas must be a whole number from 1 to 100, not "two"/],
    [['--apply'], /--apply needs --crd; pipe the rest to kubectl/],
    [['extra'], /unexpected argument "extra"/],
  ]
  for (const [args, err] of refused) {
    test(`refuses ${JSON.stringify(args.join(' ')).slice(0, 40)} in one line, with code 2`, () => {
      const { code, out, err: said } = printed(args)
      expect({ code, out }).toEqual({ code: 2, out: '' })
      expect(said).toMatch(err)
      expect(said.trim().split('\n')).toHaveLength(1)
    })
  }

  test('takes references with a host, a port, a tag and a digest', () => {
    const digest = `sha256:${'0'.repeat(64)}`
    for (const image of [
      'a',
      'a/b/c:v1.0.0-rc.1',
      `h.example:5000/a_b/c@${digest}`,
      `a:1@${digest}`,
    ]) {
      expect(printed(['--image', image])).toMatchObject({ code: 0, err: '' })
    }
  })
})

describe('toYaml()', () => {
  const texts = [
    'plain',
    'a/b:c',
    'true',
    'NO',
    'null',
    'y',
    '',
    '1.0',
    '128Mi',
    '~',
    '- a',
    'a: b',
    'a #b',
    'a:',
    '"',
    "it's",
    'line\nbreak',
    '--v=0',
    '*',
    '0x1',
    '.5',
    'a,b',
  ]
  for (const text of texts) {
    test(`writes ${JSON.stringify(text)} as what reads as the same text`, () => {
      const node = { key: text, list: [text, { [text]: text }] }
      expect(Bun.YAML.parse(toYaml(node))).toEqual(node)
    })
  }

  test('writes comments behind values, nested lists and numbers', () => {
    const text = toYaml({ a: [[1, true], { b: new Noted('get', 'to see') }], c: { d: 'e' } })
    expect(text).toBe('a:\n  - - 1\n    - true\n  - b: get # to see\nc:\n  d: e\n')
  })
})
