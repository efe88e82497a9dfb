// `endpoints-operator import`, also called `cepctl`: ClusterEndpoints for Services and Endpoints that stand.

import { GROUP, parseClusterEndpoint, parseSpec } from '../crds/clusterendpoint.ts'
import { type Imported, importService, type Manifest, PROBE_CHOICES } from '../crds/import.ts'
import { readService } from '../crds/service.ts'
import { isSameSpec } from '../crds/targets.ts'
import type { ApiClient } from '../k8s/client.ts'
import { ApiError } from '../k8s/errors.ts'
import { find } from '../k8s/find.ts'
import { listAll } from '../k8s/list.ts'
import {
  clusterEndpointPath,
  clusterEndpointsPath,
  type Named,
  publishedPath,
  servicesPath,
} from '../k8s/paths.ts'
import { CLUSTER_FLAGS, clusterOf, nameOf } from './cluster.ts'
import {
  type Flag,
  flagHelp,
  KLOG_FLAGS,
  oneOf,
  type ParsedFlags,
  parseFlags,
  UsageError,
  wholeNumber,
} from './flags.ts'
import { note, print } from './print.ts'
import { asCalled, program } from './program.ts'

/** Seconds. What the schema of a ClusterEndpoint takes. */
const PERIOD_MAX = 86_400

export const IMPORT_FLAGS: readonly Flag[] = [
  { name: 'namespace', short: 'n', value: 'NS', fallback: '', help: 'namespace of the Service' },
  { name: 'all', fallback: '', help: 'all Services of the namespace without a selector' },
  {
    name: 'probe',
    value: PROBE_CHOICES.join('|'),
    implied: 'tcp',
    fallback: 'none',
    help: 'probe of every port that it can say something about; tcp if nothing follows',
  },
  {
    name: 'periodSeconds',
    value: 'N',
    fallback: '10',
    help: 'seconds between attempts',
  },
  { name: 'output', short: 'o', value: 'yaml|json', fallback: '', help: 'form of what is printed' },
  { name: 'apply', fallback: '', help: 'create it in the cluster instead of printing it' },
  { name: 'service-name', value: 'NAME', fallback: '', help: 'the same as SERVICE' },
  { name: 'service-namespace', value: 'NS', fallback: '', help: 'the same as -n' },
  ...CLUSTER_FLAGS,
  ...KLOG_FLAGS,
  { name: 'v', short: 'v', value: 'N', fallback: '0', help: '' },
  { name: 'help', short: 'h', fallback: '', help: 'show this' },
]

const HELP = `Makes a ClusterEndpoint of a Service without a selector and its Endpoints. Once
applied, the operator takes both over, without a gap in what is published.

Usage:
  endpoints-operator import SERVICE [-n NAMESPACE] [flags]
  endpoints-operator import --all [-n NAMESPACE] [flags]

Examples:
  endpoints-operator import -n prod mysql --probe tcp > mysql.yaml
  endpoints-operator import -n prod --all --apply

The manifest goes to standard output, what to look at to standard error.
Exit code: 0 done, 1 something was refused and left alone.

Flags:
${flagHelp(IMPORT_FLAGS)}
`

/** Resolves with the exit code. */
export async function importServices(args: readonly string[]): Promise<number> {
  const flags = parseFlags(args.map(asFlag), IMPORT_FLAGS, 1)
  if (flags.isOn('help')) {
    await print(asCalled(HELP))
    return 0
  }
  const options = {
    periodSeconds: wholeNumber(flags, 'periodSeconds', 0, PERIOD_MAX),
    probe: oneOf(flags, 'probe', PROBE_CHOICES),
  }
  const output = flags.has('output') ? oneOf(flags, 'output', ['yaml', 'json']) : 'yaml'
  const name = nameGiven(flags)
  const { client, namespace } = await clusterOf(flags, 'import')
  const within = nameOf(namespaceGiven(flags) || namespace, 'namespace')

  const found = name === undefined ? await allIn(client, within) : [await one(client, within, name)]
  const imported = found.map(({ named, service, endpoints }) => {
    const result: Imported = endpoints
      ? importService(service, endpoints, options)
      : { ok: false, why: 'Cannot import the Service as there are no Endpoints of its name' }
    return { named, result }
  })
  if (imported.length === 0) note(`no Service without a selector in namespace "${within}"`)
  const manifests: Manifest[] = []
  for (const { named, result } of imported) {
    const lines = result.ok ? result.notes : [result.why]
    for (const line of lines) note(`${named.namespace}/${named.name}: ${line}`)
    if (result.ok) manifests.push(result.manifest)
  }
  const isApplying = isApplied(flags)
  if (!isApplying) await print(textOf(manifests, output))
  const isDone = !isApplying || (await applyAll(client, manifests))
  return isDone && manifests.length === imported.length ? 0 : 1
}

/** cepctl's `--probe=true` and `--probe=false`: it was a switch for a TCP probe. */
function asFlag(arg: string): string {
  if (arg === '--probe=true') return '--probe=tcp'
  return arg === '--probe=false' ? '--probe=none' : arg
}

function nameGiven(flags: ParsedFlags): string | undefined {
  const names = [...flags.positionals, ...(flags.get('service-name') ? ['service-name'] : [])]
  const wanted = flags.isOn('all') ? 0 : 1
  if (names.length !== wanted) {
    throw new UsageError(
      `${program === 'cepctl' ? 'cepctl' : 'import'} takes either the name of one Service or --all; see --help`,
    )
  }
  const name = flags.get('service-name') || flags.positionals[0]
  return name === undefined ? undefined : nameOf(name, 'Service')
}

function namespaceGiven(flags: ParsedFlags): string {
  const given = flags.get('namespace') || flags.get('service-namespace')
  // Source: the Go version's cepctl.
  return given === '' && program === 'cepctl' ? 'default' : given
}

/** cepctl without -o creates, as the Go version's did. */
function isApplied(flags: ParsedFlags): boolean {
  return flags.isOn('apply') || (program === 'cepctl' && !flags.has('output'))
}

type Found = {
  readonly named: Named
  readonly service: unknown
  /** Undefined when there are none. */
  readonly endpoints: unknown
}

async function one(client: ApiClient, namespace: string, name: string): Promise<Found> {
  const named = { namespace, name }
  const service = await client.request({ method: 'GET', path: publishedPath('services', named) })
  return { named, service, endpoints: await find({ client }, publishedPath('endpoints', named)) }
}

/** Every Service whose endpoints no controller of Kubernetes keeps, and no ClusterEndpoint yet. */
async function allIn(client: ApiClient, namespace: string): Promise<Found[]> {
  const { items } = await listAll(client, servicesPath(namespace))
  const found: Found[] = []
  for (const service of items) {
    const { metadata, spec } = readService(service)
    const { name } = metadata
    const isSelected = Object.keys(spec.selector).length > 0 || spec.type === 'ExternalName'
    const isOwned = metadata.ownerReferences.some(({ controller }) => controller)
    const isApiServer = namespace === 'default' && name === 'kubernetes'
    if (isSelected || isOwned || isApiServer) continue
    const named = { namespace, name }
    const endpoints = await find({ client }, publishedPath('endpoints', named))
    found.push({ named, service, endpoints })
  }
  return found
}

function textOf(manifests: readonly Manifest[], output: 'yaml' | 'json'): string {
  if (output === 'yaml') {
    return manifests.map((manifest) => `---\n${Bun.YAML.stringify(manifest, null, 2)}\n`).join('')
  }
  const [first, second] = manifests
  const list = { apiVersion: 'v1', kind: 'List', items: manifests }
  return first ? `${JSON.stringify(second ? list : first, null, 2)}\n` : ''
}

/** Creates each; resolves with whether all of them stand now. */
async function applyAll(client: ApiClient, manifests: readonly Manifest[]): Promise<boolean> {
  let isDone = true
  for (const manifest of manifests) {
    const { namespace, name } = manifest.metadata
    const applied = await applyOne(client, manifest)
    if (applied.ok) await print(`${namespace}/${name}: ${applied.text}\n`)
    else note(`${namespace}/${name}: ${applied.text}`)
    isDone &&= applied.ok
  }
  return isDone
}

type Applied = { readonly ok: boolean; readonly text: string }

/** What is there already is left alone, whatever it says. */
async function applyOne(client: ApiClient, manifest: Manifest): Promise<Applied> {
  const { metadata, spec } = manifest
  try {
    const standing = await find({ client }, clusterEndpointPath(metadata))
    if (standing === undefined) {
      const path = clusterEndpointsPath(GROUP, metadata.namespace)
      await client.request({ method: 'POST', path, body: manifest })
      return { ok: true, text: 'created' }
    }
    const cep = parseClusterEndpoint(standing)
    const [theirs, ours] = [parseSpec(cep), parseSpec({ ...cep, spec })]
    if (theirs.ok && ours.ok && isSameSpec(theirs.spec, ours.spec)) {
      return { ok: true, text: 'is there already' }
    }
    return { ok: false, text: 'Cannot create the ClusterEndpoint as another one has its name' }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const isCrdMissing = error.status === 404
    return {
      ok: false,
      text: isCrdMissing
        ? 'Cannot create a ClusterEndpoint as its CRD is not installed'
        : error.message,
    }
  }
}
