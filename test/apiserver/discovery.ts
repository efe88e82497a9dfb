// Discovery: which groups, versions and resources there are.

import { compact, type Json, type JsonMap } from './json.ts'
import type { Registry } from './registry.ts'
import type { RequestInfo } from './request-info.ts'
import type { Resource } from './resource.ts'

const VERBS = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch']

/** What /version says. */
export const versionInfo: JsonMap = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.2',
  gitCommit: '0000000000000000000000000000000000000000',
  gitTreeState: 'clean',
  buildDate: '2026-01-01T00:00:00Z',
  goVersion: 'go1.26.0',
  compiler: 'gc',
  platform: 'linux/amd64',
}

/** The document of a discovery path, undefined if it is none. */
export function discover(registry: Registry, info: RequestInfo): Json | undefined {
  const { group, version, path } = info
  const resources = registry.all()
  if (path.startsWith('/apis')) {
    if (group === '') return groupList(resources)
    const ofGroup = resources.filter((item) => item.group === group)
    if (ofGroup.length === 0) return undefined
    if (version === '') return { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(group, ofGroup) }
    return resourceList(ofGroup.filter((item) => item.version === version))
  }
  if (version === '') {
    return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }
  }
  return resourceList(resources.filter((item) => item.group === '' && item.version === version))
}

function groupList(resources: readonly Resource[]): Json {
  const names = new Set(resources.map((item) => item.group).filter((group) => group !== ''))
  const groups = [...names].map((group) =>
    groupOf(
      group,
      resources.filter((item) => item.group === group),
    ),
  )
  return { kind: 'APIGroupList', apiVersion: 'v1', groups }
}

function groupOf(name: string, resources: readonly Resource[]): JsonMap {
  const versions = [...new Set(resources.map((item) => item.version))].map((version) => ({
    groupVersion: `${name}/${version}`,
    version,
  }))
  return { name, versions, preferredVersion: versions[0] ?? {} }
}

function resourceList(resources: readonly Resource[]): Json | undefined {
  const [first] = resources
  if (first === undefined) return undefined
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: first.apiVersion,
    resources: resources.flatMap(entriesOf),
  }
}

function entriesOf(resource: Resource): readonly Json[] {
  const { plural, singular, kind, isNamespaced, hasStatus } = resource
  const main = compact({
    name: plural,
    singularName: singular,
    namespaced: isNamespaced,
    kind,
    verbs: VERBS,
    shortNames: resource.shortNames.length === 0 ? undefined : resource.shortNames,
    categories: resource.categories.length === 0 ? undefined : resource.categories,
  })
  if (!hasStatus) return [main]
  const verbs = ['get', 'patch', 'update']
  return [
    main,
    { name: `${plural}/status`, singularName: '', namespaced: isNamespaced, kind, verbs },
  ]
}
