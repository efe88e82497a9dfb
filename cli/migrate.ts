// `endpoints-operator migrate`: resources of earlier versions become those of this one, and the Services
// that they feed notice nothing.

import { type ClusterEndpoint, GROUP, parseClusterEndpoint } from '../crds/clusterendpoint.ts'
import { LEGACY_GROUP } from '../crds/legacy.ts'
import { type Migration, planMove, planRewrite, type Step } from '../crds/migration.ts'
import type { ApiClient } from '../k8s/client.ts'
import { ApiError, CannotStart } from '../k8s/errors.ts'
import { GO_LEASE, isGoVersionRunning } from '../k8s/go-version.ts'
import {
  listClusterEndpoints,
  type Raw,
  rehearseCreation,
  standingAround,
  takeStep,
} from '../k8s/mover.ts'
import { keyOf } from '../k8s/paths.ts'
import { backupName, backupText, writeBackup } from './backup.ts'
import { CLUSTER_FLAGS, clusterOf, nameOf } from './cluster.ts'
import { duration, type Flag, flagHelp, parseFlags, UsageError } from './flags.ts'
import { note, print } from './print.ts'
import { asCalled } from './program.ts'

export const MIGRATE_FLAGS: readonly Flag[] = [
  { name: 'namespace', short: 'n', value: 'NS', fallback: '', help: 'only this namespace' },
  { name: 'all', short: 'A', fallback: '', help: 'all namespaces' },
  { name: 'dry-run', fallback: '', help: 'say what would be done, change nothing' },
  { name: 'delete-old', fallback: '', help: `delete those of ${LEGACY_GROUP} once they are moved` },
  {
    name: 'backup',
    value: 'FILE',
    fallback: '',
    help: 'where to; default: a new file in this folder, named by the time',
  },
  {
    name: 'wait',
    value: 'DURATION',
    fallback: '30s',
    help: 'for the operator to take each over',
  },
  ...CLUSTER_FLAGS,
  { name: 'help', short: 'h', fallback: '', help: 'show this' },
]

const HELP = `Turns ClusterEndpoints of v0.1.x (${LEGACY_GROUP}) into those of ${GROUP}, and
spec.hosts of v0.2.x into hosts of each port. What is published stays as it is.
Stop the Go version and start this operator before; run it as often as you like.

Usage:
  endpoints-operator migrate --all|-n NAMESPACE [flags]

Examples:
  endpoints-operator migrate --all --dry-run
  endpoints-operator migrate -n prod --backup prod.json
  endpoints-operator migrate --all --delete-old

All that is changed is backed up first; kubectl apply -f FILE restores it.
Exit code: 0 all is as it should be, 1 something was not done.

Flags:
${flagHelp(MIGRATE_FLAGS)}
`

/** One resource, the steps for it, and the objects that they change. */
type Task = {
  readonly cep: ClusterEndpoint
  readonly migration: Migration
  readonly objects: readonly Raw[]
}

/** Resolves with the exit code. */
export async function migrate(args: readonly string[]): Promise<number> {
  const flags = parseFlags(args, MIGRATE_FLAGS)
  if (flags.isOn('help')) {
    await print(asCalled(HELP))
    return 0
  }
  if (flags.isOn('all') === flags.has('namespace')) {
    throw new UsageError('migrate takes either --all or -n NAMESPACE; see migrate --help')
  }
  const namespace = flags.isOn('all') ? undefined : nameOf(flags.get('namespace'), 'namespace')
  const waitMs = duration(flags, 'wait')
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())

  const { client } = await clusterOf(flags, 'migrate')
  const tasks = await plan(client, namespace, flags.isOn('delete-old'))
  const isAllPlanned = tellPlans(tasks)
  const doable = tasks.filter(({ migration }) => stepsOf(migration).length > 0)
  if (doable.length === 0) {
    await print('nothing to do\n')
    return isAllPlanned ? 0 : 1
  }
  if (flags.isOn('dry-run')) {
    for (const { cep, migration } of doable) {
      for (const step of stepsOf(migration)) await tell(cep, `${done(step)} (dry run)`)
    }
    return isAllPlanned ? 0 : 1
  }
  if (await isGoVersionRunning(client, stop.signal)) {
    throw new CannotStart(
      `Cannot migrate while the Go version runs, which would take all of it back: scale its Deployment to 0 (its lease ${keyOf(GO_LEASE)} is being renewed)`,
    )
  }
  if (stop.signal.aborted) return await stopped()
  const file = flags.get('backup') || backupName(new Date())
  writeBackup(file, backupText(doable.flatMap(({ objects }) => objects)))
  await print(`backup: ${file}\n`)
  const isAllDone = await takeAll(client, doable, { waitMs, signal: stop.signal })
  if (stop.signal.aborted) return await stopped()
  return isAllDone && isAllPlanned ? 0 : 1
}

/** Looks at everything and changes nothing. Throws when the API server would not take what is planned. */
async function plan(
  client: ApiClient,
  namespace: string | undefined,
  deleteOld: boolean,
): Promise<Task[]> {
  const old = await listClusterEndpoints(client, LEGACY_GROUP, namespace)
  const current = await listClusterEndpoints(client, GROUP, namespace)
  if (!old) note(`no ${LEGACY_GROUP} here: its CRD is not installed`)
  if (!current) {
    if (!old || old.length === 0) return []
    throw new CannotStart(`Cannot migrate as the CRD of ${GROUP} is not installed`)
  }
  const tasks: Task[] = []
  for (const raw of old ?? []) {
    const { standing, objects } = await standingAround(client, raw)
    const migration = await rehearsed(client, planMove(standing, { deleteOld }))
    tasks.push({ cep: standing.old, migration, objects })
  }
  for (const raw of current) {
    const cep = parseClusterEndpoint(raw)
    tasks.push({ cep, migration: planRewrite(cep), objects: [raw] })
  }
  return tasks
}

/** `migration`, unless the API server refuses what it would create. */
async function rehearsed(client: ApiClient, migration: Migration): Promise<Migration> {
  const creation = stepsOf(migration).find((step) => step.kind === 'create')
  if (!creation) return migration
  try {
    await rehearseCreation(client, creation.manifest)
    return migration
  } catch (error) {
    if (!(error instanceof ApiError) || ![400, 422].includes(error.status)) throw error
    return { ok: false, why: error.message }
  }
}

function stepsOf(migration: Migration): readonly Step[] {
  return migration.ok ? migration.steps : []
}

/** Says what needs a person; returns whether nothing was refused. */
function tellPlans(tasks: readonly Task[]): boolean {
  for (const { cep, migration } of tasks) {
    const lines = migration.ok ? migration.notes : [migration.why]
    for (const line of lines) note(`${keyOf(cep.metadata)}: ${line}`)
  }
  return tasks.every(({ migration }) => migration.ok)
}

type TakeOptions = { readonly waitMs: number; readonly signal: AbortSignal }

/** Takes the steps of each task in turn; resolves with whether all were taken. Ends between two steps. */
async function takeAll(
  client: ApiClient,
  tasks: readonly Task[],
  { waitMs, signal }: TakeOptions,
): Promise<boolean> {
  let isAllDone = true
  // An operator that is not there is waited for once.
  let patienceMs = waitMs
  for (const { cep, migration } of tasks) {
    for (const step of stepsOf(migration)) {
      if (signal.aborted) return false
      const problem = await attempted(
        async () => await takeStep(client, cep, step, { waitMs: patienceMs, signal }),
      )
      if (problem === undefined) {
        await tell(cep, done(step))
        continue
      }
      if (signal.aborted) return false
      note(`${keyOf(cep.metadata)}: ${problem}; run migrate again`)
      if (step.kind === 'await') patienceMs = 0
      isAllDone = false
      break
    }
  }
  return isAllDone
}

/** What the API server has against one object holds up no other; that we may do nothing at all is thrown. */
async function attempted(step: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await step()
  } catch (error) {
    if (!(error instanceof ApiError) || [401, 403].includes(error.status)) throw error
    return error.message
  }
}

/** What is so once `step` has been taken. */
function done(step: Step): string {
  switch (step.kind) {
    case 'orphan':
      return `${step.what === 'services' ? 'Service' : 'Endpoints'} freed from the old owner`
    case 'create':
      return `ClusterEndpoint of ${GROUP} created`
    case 'await':
      return 'Service and Endpoints taken over by the operator'
    case 'release':
      return `finalizers removed from the ClusterEndpoint of ${LEGACY_GROUP}`
    case 'delete':
      return `ClusterEndpoint of ${LEGACY_GROUP} deleted`
    case 'rewrite':
      return 'spec.hosts moved to the ports; change your manifest, too'
  }
}

async function tell({ metadata }: ClusterEndpoint, text: string): Promise<void> {
  await print(`${keyOf(metadata)}: ${text}\n`)
}

async function stopped(): Promise<number> {
  note('stopped between two steps: all is published as before; run migrate again to go on')
  return 1
}
