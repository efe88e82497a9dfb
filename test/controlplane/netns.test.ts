import { expect, test } from 'bun:test'
import { inNetworkNamespace, isInNetworkNamespace, namespaceProblem } from './netns.ts'

// Inside another namespace of ours these would still work, but as root only.
const impossible = isInNetworkNamespace() || namespaceProblem() !== undefined

test.skipIf(impossible)('inNetworkNamespace() gives the sample addresses and no way out', () => {
  const shown = Bun.spawnSync(inNetworkNamespace(['ip', '-o', 'addr', 'show']))
  const text = shown.stdout.toString()
  expect(text).toContain('10.33.40.151/32')
  expect(text).toContain('10.33.40.154/32')
  const links = new Set(text.split('\n').flatMap((line) => line.split(/\s+/)[1] ?? []))
  expect([...links]).toEqual(['lo'])
})

test.skipIf(impossible)('inNetworkNamespace() passes arguments on as they are', () => {
  const words = ['a b', '$HOME', "it's", '']
  const shown = Bun.spawnSync(inNetworkNamespace(['printf', '[%s]', ...words]))
  expect(shown.stdout.toString()).toBe("[a b][$HOME][it's][]")
})

test.skipIf(impossible)('inNetworkNamespace() keeps the exit code and takes signals', async () => {
  expect(Bun.spawnSync(inNetworkNamespace(['sh', '-c', 'exit 7'])).exitCode).toBe(7)

  const child = Bun.spawn(inNetworkNamespace(['sh', '-c', 'echo here; exec sleep 60']), {
    stdout: 'pipe',
  })
  await child.stdout.getReader().read()
  child.kill('SIGTERM')
  await child.exited
  expect(child.signalCode).toBe('SIGTERM')
})

test.skipIf(impossible)('netns.ts runs what follows -- and ends with its code', () => {
  const program = [process.execPath, `${import.meta.dir}/netns.ts`, '--']
  const ran = Bun.spawnSync([...program, 'sh', '-c', 'echo $EO_NETNS; exit 3'])
  expect(ran.stdout.toString()).toBe('1\n')
  expect(ran.exitCode).toBe(3)
  const empty = Bun.spawnSync(program)
  expect(empty.exitCode).toBe(1)
  expect(empty.stderr.toString()).toBe('netns: give a command after `--`\n')
})
