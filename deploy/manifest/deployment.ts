// The operator's pods, and the Service of their metrics. Pure.

import type { Install } from './install.ts'
import { LABELS, NAME, SELECTOR } from './labels.ts'
import { LEASE_NAME } from './rbac.ts'
import type { Node } from './yaml.ts'

/** Any that is not root's; the image needs none in particular. */
const USER = 65_532

/** For two replicas of which one works; the rolling update keeps one of them running. */
export function deployment({ namespace, image, replicas }: Install): Node {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: NAME, namespace, labels: LABELS },
    spec: {
      replicas,
      revisionHistoryLimit: 3,
      selector: { matchLabels: SELECTOR },
      template: { metadata: { labels: LABELS }, spec: podSpec(image) },
    },
  }
}

function podSpec(image: string): Node {
  return {
    serviceAccountName: NAME,
    automountServiceAccountToken: true,
    // It ends within two seconds; the rest is for a node that is busy.
    terminationGracePeriodSeconds: 10,
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    affinity: { podAntiAffinity: preferredApart() },
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER,
      runAsGroup: USER,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [container(image)],
  }
}

function container(image: string): Node {
  return {
    name: NAME,
    image,
    imagePullPolicy: 'IfNotPresent',
    args: ['--leader-elect', `--leader-elect-name=${LEASE_NAME}`, '--maxconcurrent=8', '--v=0'],
    env: [
      {
        name: 'POD_NAME',
        valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } },
      },
    ],
    ports: [
      { name: 'health', containerPort: 8080, protocol: 'TCP' },
      { name: 'metrics', containerPort: 9090, protocol: 'TCP' },
    ],
    livenessProbe: probe('/healthz'),
    readinessProbe: probe('/readyz'),
    resources: {
      // Measured: about 60 MB with 20 resources and up to 95 MB with 1,000 hosts at 500 attempts a
      // second (test/process/memory.test.ts); 100 attempts a second take about 10 ms of CPU. Below
      // 128 MiB the pages of the program itself begin to be fetched anew from disk. No limit on CPU:
      // a throttled prober finds fault with its hosts, or with itself.
      requests: { cpu: '10m', memory: '64Mi' },
      limits: { memory: '128Mi' },
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  }
}

function probe(path: string): Node {
  return {
    httpGet: { path, port: 'health', scheme: 'HTTP' },
    periodSeconds: 10,
    // The kubelet itself is often late on a small node.
    timeoutSeconds: 5,
    failureThreshold: 3,
  }
}

/** Not on one node, if there are two: preferred, as an edge cluster may have but one. */
function preferredApart(): Node {
  return {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        podAffinityTerm: {
          topologyKey: 'kubernetes.io/hostname',
          labelSelector: { matchLabels: SELECTOR },
        },
      },
    ],
  }
}

/** Has the port and the port's name of the Go version, which scrape configurations know. */
export function metricsService({ namespace }: Pick<Install, 'namespace'>): Node {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: NAME, namespace, labels: LABELS },
    spec: {
      type: 'ClusterIP',
      ports: [{ name: 'metrics', port: 80, protocol: 'TCP', targetPort: 'metrics' }],
      selector: SELECTOR,
    },
  }
}
