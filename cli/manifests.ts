// `endpoints-operator manifests`: the install manifest that is inside the binary.

import crd from '../crds/clusterendpoints.yaml' with { type: 'text' }
import { DEFAULT_INSTALL, installManifest } from '../deploy/manifest/install.ts'
import { applyCrd } from './apply-crd.ts'
import { clusterOf } from './cluster.ts'
import { type Flag, flagHelp, parseFlags, UsageError, wholeNumber } from './flags.ts'
import { print } from './print.ts'
import { asCalled } from './program.ts'

const REPLICAS_MAX = 100
/** An RFC 1123 label. */
const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
/** A reference as container runtimes take it: host and port, path, tag, digest. */
const IMAGE =
  /^(?:[\w.-]+(?::\d+)?\/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/

export const MANIFESTS_FLAGS: readonly Flag[] = [
  {
    name: 'namespace',
    short: 'n',
    value: 'NS',
    fallback: DEFAULT_INSTALL.namespace,
    help: 'where the operator shall run',
  },
  {
    name: 'image',
    value: 'REF',
    fallback: DEFAULT_INSTALL.image,
    help: 'container image; put a registry of yours in front',
  },
  {
    name: 'replicas',
    value: 'N',
    fallback: String(DEFAULT_INSTALL.replicas),
    help: 'pods; one of them works, the others stand by',
  },
  { name: 'crd', fallback: '', help: 'the CRD alone' },
  {
    name: 'apply',
    fallback: '',
    help: 'with --crd: put it into the cluster, over any older one, rather than print it',
  },
  { name: 'kubeconfig', value: 'FILE', fallback: '', help: 'with --apply: kubeconfig to use' },
  { name: 'help', short: 'h', fallback: '', help: 'show this' },
]

const HELP = `Prints the manifest that installs this version: CRD, roles and operator.

Usage:
  endpoints-operator manifests [flags]

Examples:
  endpoints-operator manifests | kubectl apply -f -
  endpoints-operator manifests -n cep-system --replicas 1 | kubectl apply -f -
  endpoints-operator manifests --crd --apply    before an upgrade by Helm

A namespace other than kube-system, kube-* and default is part of the manifest,
with the label that holds all its pods to the restricted Pod Security Standard.

Flags:
${flagHelp(MANIFESTS_FLAGS)}
`

/** Prints the manifest; throws UsageError for a value that no cluster would take. */
export async function printManifests(args: readonly string[]): Promise<number> {
  const flags = parseFlags(args, MANIFESTS_FLAGS)
  if (flags.isOn('help')) {
    await print(asCalled(HELP))
    return 0
  }
  const namespace = flags.get('namespace')
  const image = flags.get('image')
  const replicas = wholeNumber(flags, 'replicas', 1, REPLICAS_MAX)
  if (!NAMESPACE.test(namespace)) {
    throw new UsageError(
      `--namespace must be up to 63 lower case letters, digits and dashes, not "${namespace}"`,
    )
  }
  if (!IMAGE.test(image)) {
    throw new UsageError(`--image must be a reference like host/path/name:tag, not "${image}"`)
  }
  if (flags.isOn('apply')) {
    if (!flags.isOn('crd')) throw new UsageError('--apply needs --crd; pipe the rest to kubectl')
    await applyCrd((await clusterOf(flags, 'manifests')).client)
    return 0
  }
  if (flags.isOn('crd')) {
    await print(crd)
    return 0
  }
  await print(installManifest({ namespace, image, replicas }))
  return 0
}
