// All tests, with what they need: the compiled binary, and a real control plane where one can be had.
// `bun run test [files or flags of bun test]`

import { provision } from './controlplane/provision.ts'
import { NO_HELM, provisionHelm } from './deploy/helm.ts'
import { provisionPromtool, provisionTools } from './scripts/tools.ts'

const root = `${import.meta.dir}/..`
const env: Record<string, string | undefined> = {
  ...process.env,
  EO_BINARY: `${root}/dist/endpoints-operator`,
}

/**
 * What runs beside what: each group mostly waits, for hosts to come and go, so that three at a time keep
 * two cores busy without keeping each other late. The longest come first.
 */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'on a real API server': ['test/integration/real.test.ts', 'test/controlplane'],
  'on one with two address families': ['test/integration/real-dual-stack.test.ts'],
  'as installed': ['test/deploy', 'test/image', 'test/sealos'],
  'in process': [
    'test/integration/in-process.test.ts',
    'test/integration/in-process-dual-stack.test.ts',
    'test/demo',
  ],
  'hosts and the process in trouble': ['test/hosts', 'test/process'],
  units: [
    'test/crds',
    'test/docs',
    'test/k8s',
    'test/cli',
    'test/dns',
    'test/fuzz',
    'test/apiserver',
    'test/backends',
    'test/bench',
    'test/probes',
    'test/scripts',
    'test/release',
  ],
  'the API server and the leader in trouble': ['test/faults'],
}
const AT_ONCE = 3
/** Milliseconds after which a group counts as hung. */
const GROUP_MAX_MS = 15 * 60_000

const [build, buildText] = await execute(['scripts/build.ts'])
process.stdout.write(buildText)
if (build !== 0) process.exit(build)

const provided = await provision()
if (!provided.ok) {
  const isCi = process.env.CI === 'true'
  const what = isCi ? 'FAILED' : 'SKIPPING the suites on a real API server'
  console.error(`test: ${what}: ${provided.why}. ${provided.remedy}`)
  if (isCi) process.exit(1)
}

if ((await provisionHelm()) === undefined) {
  // Where there is no Go either; the tests of the chart then say so, too, and fail in CI.
  console.error(`test: SKIPPING the chart as Helm renders it: ${NO_HELM}`)
}

const promtool = await provisionPromtool()
if (promtool !== undefined) env.PROMTOOL = promtool
const toolsProblem =
  (await provisionTools()) ?? (promtool === undefined ? 'there is no promtool' : undefined)
if (toolsProblem !== undefined) {
  const isCi = process.env.CI === 'true'
  const what = isCi ? 'FAILED' : 'SKIPPING what needs it'
  console.error(`test: ${what}: ${toolsProblem}`)
  if (isCi) process.exit(1)
}

const given = process.argv.slice(2)
const groups = given.length > 0 ? [['as given', given] as const] : Object.entries(GROUPS)
const startedMs = performance.now()
const totals = { pass: 0, fail: 0, skip: 0 }
let worst = 0
const waiting = [...groups]
await Promise.all(Array.from({ length: AT_ONCE }, worker))

console.log(`tests took ${seconds(startedMs)}`)
console.log(`${totals.pass} passed, ${totals.fail} failed, ${totals.skip} skipped`)
process.exit(worst)

async function worker(): Promise<void> {
  for (let group = waiting.shift(); group; group = waiting.shift()) {
    const [name, files] = group
    console.log(`test: ${name}: ${files.join(' ')}`)
    const beganMs = performance.now()
    const [code, text] = await execute(['test', ...files])
    process.stdout.write(code === 0 ? notable(text) : text)
    console.log(
      `test: ${name}: ${code === 0 ? 'passed' : `FAILED with ${code}`} in ${seconds(beganMs)}`,
    )
    for (const word of ['pass', 'fail', 'skip'] as const) totals[word] += countOf(text, word)
    worst ||= code
  }
}

/** Runs Bun with `args`; the exit code and all that it said. */
async function execute(args: readonly string[]): Promise<readonly [number, string]> {
  const child = Bun.spawn([process.execPath, ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: GROUP_MAX_MS,
    killSignal: 'SIGKILL',
  })
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()])
  return [await child.exited, `${out}${err}`]
}

/** Of a group that passed: what was measured or left out, not each test by name. */
function notable(text: string): string {
  const lines = text
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\((pass|skip)\)|^test\//.test(line))
  return `${lines.join('\n')}\n`
}

/** `12 pass` on a line of its own, as bun test sums up; the last one, for suites that run others inside. */
function countOf(text: string, word: string): number {
  return Number([...text.matchAll(new RegExp(`^ *(\\d+) ${word}$`, 'gm'))].at(-1)?.[1] ?? 0)
}

function seconds(sinceMs: number): string {
  return `${Math.round((performance.now() - sinceMs) / 1000)}s`
}
