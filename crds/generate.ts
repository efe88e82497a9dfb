// Prints the CustomResourceDefinition, made from the schemas. `bun crds/generate.ts > crds/clusterendpoints.yaml`

import { toJsonSchema } from '@valibot/to-json-schema'
import * as v from 'valibot'
import { GROUP, KIND, PLURAL, VERSION } from './clusterendpoint.ts'
import { specSchema } from './schema.ts'
import { statusSchema } from './status.ts'

type Node = { readonly [key: string]: unknown }

/**
 * The CRD, accepted by every API server from 1.20 on: plain OpenAPI v3, no validation rules (CEL),
 * which `kubectl apply` refuses against old servers.
 */
export function crd(): Node {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${PLURAL}.${GROUP}` },
    spec: {
      group: GROUP,
      names: {
        kind: KIND,
        listKind: `${KIND}List`,
        plural: PLURAL,
        singular: KIND.toLowerCase(),
        shortNames: ['cep'],
      },
      scope: 'Namespaced',
      // Said, as the Go version's CRD, made by v1beta1, has it true: left alone it would stay so, and
      // the API server would refuse the defaults below.
      preserveUnknownFields: false,
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: printerColumns,
          schema: { openAPIV3Schema: rootSchema() },
        },
      ],
    },
  }
}

const printerColumns = [
  { name: 'Status', type: 'string', jsonPath: '.status.phase' },
  {
    name: 'Ready',
    type: 'string',
    jsonPath: '.status.ready',
    description: 'Healthy hosts of all hosts',
  },
  { name: 'Cluster-IP', type: 'string', jsonPath: '.status.clusterIP' },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  // Last, because it is long when hosts are out: it names them, with the reason.
  {
    name: 'Message',
    type: 'string',
    jsonPath: '.status.conditions[?(@.type=="Ready")].message',
  },
]

function rootSchema(): Node {
  return {
    description:
      'ClusterEndpoint keeps a Service and its Endpoints for hosts outside the cluster, and publishes only hosts that answer their probes.',
    type: 'object',
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: structural(specSchema, 'What to publish, and how to probe it.'),
      status: structural(
        statusSchema,
        'What is known of the hosts. Written by endpoints-operator.',
      ),
    },
  }
}

/** A valibot schema as structural OpenAPI v3. */
function structural(schema: v.GenericSchema, description: string): Node {
  // Transforms have no place in OpenAPI: what is described is the input, and they act on its output.
  const json = toJsonSchema(schema, { typeMode: 'input', errorMode: 'ignore' })
  const { $schema: _, ...root } = v.parse(nodeSchema, JSON.parse(JSON.stringify(json)))
  return { description, ...clean(root) }
}

const nodeSchema = v.record(v.string(), v.unknown())

/** Drops what a structural schema may not hold or a reader need not see. */
function clean(node: Node): Node {
  const kept: [string, unknown][] = []
  for (const [key, value] of Object.entries(node)) {
    if (key === 'default' && isZero(value)) continue
    if (key === 'required' && Array.isArray(value) && value.length === 0) continue
    // A field of several types (udpSocket.data) is preserved as it is and judged by the operator.
    if (key === 'anyOf') continue
    if (key === 'format' && value === 'date-time') kept.push([key, value])
    else if (key === 'format') continue
    else kept.push([key, cleanValue(value)])
  }
  return Object.fromEntries(kept)
}

function cleanValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cleanValue)
  const node = v.safeParse(nodeSchema, value)
  return node.success ? clean(node.output) : value
}

function isZero(value: unknown): boolean {
  return value === '' || value === 0 || (Array.isArray(value) && value.length === 0)
}

if (import.meta.main) {
  console.log(
    '# Generated from crds/schema.ts and crds/status.ts by `bun run generate`. Do not edit.',
  )
  console.log(Bun.YAML.stringify(crd(), null, 2))
}
