// The world of the demo: a cluster, hosts outside of it, the operator, and what they have to do with
// each other. Built step by step; taken down in the other direction, whatever happened.

import { messageOf } from '../../k8s/errors.ts'
import { type Operator, startOperator } from '../integration/operator.ts'
import { seconds } from './act.ts'
import { type Cluster, connect, startInProcess } from './cluster.ts'
import { DemoFailed } from './failure.ts'
import { type Member, startFleet, stopFleet } from './fleet.ts'
import { applyAll, createNamespace, ensureCrd, refuseOthers, removeNamespace } from './install.ts'
import { furtherResources, MAIN, mainResource } from './plan.ts'
import type { Show } from './show.ts'
import { openSight, type Sight } from './sight.ts'

export type World = AsyncDisposable & {
  readonly cluster: Cluster
  readonly members: readonly Member[]
  readonly operator: Operator
  readonly sight: Sight
}

export type WorldOptions = {
  /** Of a real cluster; undefined for an API server in this process. */
  readonly kubeconfig: string | undefined
  /** The compiled operator; undefined for the sources. */
  readonly binary: string | undefined
  /** ClusterEndpoints in all, at least 1. */
  readonly resources: number
}

/** Who hears of it while it is built, and who ends it. */
export type Builder = {
  readonly show: Show
  readonly signal: AbortSignal
  /** Called when the operator ends without having been told to. */
  readonly onTrouble: (error: Error) => void
}

/** Milliseconds from the apply until every host that answers is published, and every status says so. */
const PUBLISHED_MAX_MS = 15_000
/** Milliseconds for the operator to stop when asked to. */
const STOP_MAX_MS = 3_000

/** Builds it; resolves when all hosts are published. Throws DemoFailed; nothing is left over then. */
export async function buildWorld(options: WorldOptions, builder: Builder): Promise<World> {
  const { show, signal } = builder
  await using stack = new AsyncDisposableStack()
  const { kubeconfig } = options
  const cluster = await (kubeconfig === undefined ? startInProcess() : connect(kubeconfig))
  stack.defer(() => cluster.stop())
  show.tell(`cluster: ${cluster.name}`)
  await prepare(cluster, builder, stack)

  const members = await startFleet(cluster.hosts)
  stack.defer(() => stopFleet(members))
  show.tell(
    `hosts: ${members.length} servers, TCP, HTTP, UDP and gRPC, on ${cluster.hosts.join(', ')}`,
  )

  const operator = await launch(options, cluster, builder, stack)
  const sight = await openSight(cluster, signal)
  stack.defer(() => sight.stop())
  const resources = [mainResource(members), ...furtherResources(members, options.resources - 1)]
  const appliedMs = performance.now()
  await applyAll(cluster, resources, signal)
  const names = resources.map(({ metadata }) => metadata.name)
  const others = names.length === 1 ? '' : `; "${names.at(-1)}" also one that is down for good`
  show.tell(`applied: ${names.length} ClusterEndpoints; "${MAIN}" names all hosts${others}`)
  const publishedMs = await sight.until(
    () => members.every(sight.isPublished) && isSettled(sight, resources.length),
    PUBLISHED_MAX_MS,
    `Not all hosts are published ${PUBLISHED_MAX_MS / 1000} s after the apply`,
  )
  show.say(
    `All ${members.length} hosts answer: published ${seconds(publishedMs - appliedMs)} after the apply.`,
  )
  const built = stack.move()
  return { cluster, members, operator, sight, [Symbol.asyncDispose]: () => built.disposeAsync() }
}

async function prepare(
  cluster: Cluster,
  { show, signal }: Builder,
  stack: AsyncDisposableStack,
): Promise<void> {
  const wasMissing = await ensureCrd(cluster, signal)
  show.tell(wasMissing ? 'CRD: applied' : 'CRD: there already, left as it is')
  if (!cluster.isReal) return
  await refuseOthers(cluster)
  await createNamespace(cluster)
  show.tell(`namespace: ${cluster.namespace}, removed at the end`)
  stack.defer(() => leaveCluster(cluster, wasMissing))
}

async function leaveCluster(cluster: Cluster, isCrdOurs: boolean): Promise<void> {
  const { namespace } = cluster
  process.stdout.write(`Removing namespace ${namespace}: `)
  const end = await removeNamespace(cluster).then(
    (isGone) => (isGone ? 'done' : 'the cluster is still at it'),
    (error: unknown) => `failed, ${messageOf(error)}`,
  )
  process.stdout.write(`${end}.\n`)
  if (isCrdOurs) {
    const command = 'kubectl delete crd clusterendpoints.sealos.io'
    process.stdout.write(`The CRD stays; ${command} removes it.\n`)
  }
}

async function launch(
  { binary }: WorldOptions,
  cluster: Cluster,
  { show, signal, onTrouble }: Builder,
  stack: AsyncDisposableStack,
): Promise<Operator> {
  signal.throwIfAborted()
  // How startOperator() is told what to start; whatever was set outside is not meant for the demo.
  if (binary === undefined) delete process.env.EO_BINARY
  else process.env.EO_BINARY = binary
  const operator = await startOperator(cluster.kubeconfig, cluster.operatorArgs)
  const kill = () => operator.kill('SIGKILL')
  process.on('exit', kill)
  let isStopping = false
  stack.defer(async () => {
    isStopping = true
    const timer = setTimeout(kill, STOP_MAX_MS)
    await operator.stop()
    clearTimeout(timer)
    process.off('exit', kill)
  })
  void operator.exited.then((code) => {
    if (isStopping) return
    const last = operator.logs().trimEnd().split('\n').slice(-LOG_LINES).join('\n')
    onTrouble(new DemoFailed(`The operator ended with code ${code}. Its last lines:\n${last}`))
  })
  show.tell(`operator: process ${operator.pid}, ${binary ?? 'from its sources'}`)
  return operator
}

/** Lines of the operator's log that are shown when it ended. */
const LOG_LINES = 8

/** Whether every status says what is to be expected: all healthy but the last, which names a dead host. */
function isSettled(sight: Sight, resources: number): boolean {
  const phases = [...sight.statuses().values()].map(({ phase }) => phase)
  const healthy = phases.filter((phase) => phase === 'Healthy').length
  const unhealthy = phases.filter((phase) => phase === 'UnHealthy').length
  const expected = resources === 1 ? 0 : 1
  return unhealthy === expected && healthy === resources - expected
}
