// A bug ends the process, with its stack and a code: never a silent half-life.

import { expect, test } from 'bun:test'
import { startTcp } from '../backends/tcp.ts'
import { tcpPort } from '../integration/manifests.ts'
import { openPipe } from './pipe.ts'
import { Scene } from './scene.ts'

const MAIN = `${import.meta.dir}/../../main.ts`
const BUG = `${import.meta.dir}/bug.preload.ts`
const ENDED_MAX_MS = 5_000
const TEST_MAX_MS = 30_000

const bugs: [where: string, name: string][] = [
  ['a promise that nobody waits for', 'forgottenPromise'],
  ['a timer', 'brokenTimer'],
  ['a socket', 'brokenSocket'],
]

/** Of the sources, even if there is a binary: nothing in that can be told to have a bug. */
function buggy(where: string) {
  return { prefix: ['env', `BUG=${where}`], command: [process.execPath, '--preload', BUG, MAIN] }
}

for (const [where, name] of bugs) {
  test(
    `a bug in ${where} ends the operator with its stack`,
    async () => {
      await using scene = await Scene.open(buggy(where))
      scene.operator.kill('SIGUSR2')
      expect(await ended(scene)).toBe(1)
      expect(scene.operator.logs()).toContain('TypeError: a bug')
      expect(scene.operator.logs()).toContain(`at ${name}`)
    },
    TEST_MAX_MS,
  )

  test(
    `a bug in ${where} ends the operator when nobody reads its stack`,
    async () => {
      using pipe = openPipe()
      await using scene = await Scene.open({ ...buggy(where), stderr: pipe.writer })
      pipe.fill()
      scene.operator.kill('SIGUSR2')
      expect(await ended(scene)).toBe(1)
    },
    TEST_MAX_MS,
  )
}

test(
  'a listener of attempts that throws ends the process with its stack',
  async () => {
    await using scene = await Scene.open()
    const { port } = scene.keep(await startTcp({ host: '127.0.91.1', port: 0 }))
    scene.create('any', { ports: [tcpPort('web', port, ['127.0.91.1'])] })
    const child = Bun.spawn(
      [process.execPath, `${import.meta.dir}/crash.child.ts`, scene.server.kubeconfig()],
      { stdout: 'ignore', stderr: 'pipe', timeout: ENDED_MAX_MS },
    )
    const [code, errors] = await Promise.all([child.exited, new Response(child.stderr).text()])
    expect(code).toBe(1)
    expect(errors).toContain('TypeError: a bug')
    expect(errors).toContain('at brokenListener')
  },
  TEST_MAX_MS,
)

/** The exit code; undefined when it goes on. */
async function ended({ operator }: Scene): Promise<number | undefined> {
  return await Promise.race([operator.exited, Bun.sleep(ENDED_MAX_MS).then(() => undefined)])
}
