// All tests, with what they need: the compiled binary, and a real control plane where one can be had.
// `bun run test [files or flags of bun test]`

import { provision } from './controlplane/provision.ts'

const isCi = process.env.CI === 'true'
const root = `${import.meta.dir}/..`
const binary = `${root}/dist/endpoints-operator`

await must(['scripts/build.ts'])

const provided = await provision()
if (!provided.ok) {
  const line = `the real API server cannot be had: ${provided.why}. ${provided.remedy}`
  console.error(`test: ${isCi ? 'FAILED' : 'SKIPPING its suites'}, ${line}`)
  if (isCi) process.exit(1)
}

const started = performance.now()
const tests = Bun.spawn([process.execPath, 'test', ...process.argv.slice(2)], {
  cwd: root,
  env: { ...process.env, EO_BINARY: binary },
  stdin: 'ignore',
  stdout: 'inherit',
  stderr: 'pipe',
})
let tail = ''
for await (const chunk of tests.stderr) {
  process.stderr.write(chunk)
  tail = (tail + new TextDecoder().decode(chunk)).slice(-2_000)
}
const code = await tests.exited
const count = (word: string) => Number(new RegExp(`^ *(\\d+) ${word}$`, 'm').exec(tail)?.[1] ?? 0)
console.log(`tests took ${Math.round((performance.now() - started) / 1000)}s`)
console.log(`${count('pass')} passed, ${count('fail')} failed, ${count('skip')} skipped`)
process.exit(code)

async function must(args: readonly string[]): Promise<void> {
  const code = await Bun.spawn([process.execPath, ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  }).exited
  if (code !== 0) process.exit(code)
}
