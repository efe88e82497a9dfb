// The cluster image: built by buildah, unpacked, and what `sealos run` would do with it, against a real
// API server. Nothing stands in for anything but sealos.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { CONTROLLER_IMAGE } from '../../deploy/names.ts'
import { readImage } from '../../scripts/image/layout.ts'
import { hostArch } from '../../scripts/platforms.ts'
import { run } from '../../scripts/run.ts'
import { buildCluster } from '../../scripts/sealos/build.ts'
import { writeContext } from '../../scripts/sealos/context.ts'
import { commandPath } from '../controlplane/command-path.ts'
import { type ControlPlane, startControlPlane } from '../controlplane/controlplane.ts'
import { describeInNamespace } from '../controlplane/describe-in-namespace.ts'
import { findBinaries } from '../controlplane/provision.ts'
import { findHelm, NO_HELM } from '../deploy/helm.ts'
import { smallLayout } from '../image/small-layout.ts'
import { describeWith } from '../scripts/describe-with.ts'

const TEST_MAX_MS = 120_000

describeWith(['buildah', 'skopeo', 'bash'], 'the cluster image', () =>
  describeInNamespace('the cluster image of sealos', import.meta.path, () => {
    let scratch: string
    /** Where sealos would unpack it. */
    let workdir: string
    let command: readonly string[]
    let plane: ControlPlane

    beforeAll(async () => {
      scratch = mkdtempSync(join(tmpdir(), 'sealos-test-'))
      const layout = join(scratch, 'layout')
      smallLayout({ folder: layout, tag: CONTROLLER_IMAGE.tag, compression: 'zstd' })
      const folder = join(scratch, 'context')
      const archive = join(scratch, 'cluster.tar')
      writeContext({ arch: hostArch(), layout, folder })
      await buildCluster({ folder, arch: hostArch(), archive })
      workdir = join(scratch, 'workdir')
      command = await unpackCluster(archive, workdir, scratch)
      plane = await startControlPlane()
    }, TEST_MAX_MS)
    afterAll(async () => {
      await plane?.stop()
      rmSync(scratch, { recursive: true, force: true })
    })

    test('is told to sealos as one command, with the image list of the chart', () => {
      expect(command).toEqual(['bash entrypoint.sh'])
      const list = readFileSync(join(workdir, 'images/shim/endpoints-operator'), 'utf8')
      const name = `${CONTROLLER_IMAGE.repository}/${CONTROLLER_IMAGE.name}:${CONTROLLER_IMAGE.tag}`
      expect(list).toBe(`${name}\n`)
      const manifest = readFileSync(join(workdir, 'manifests/install.yaml'), 'utf8')
      expect(manifest).toContain(`image: ${name}\n`)
    })

    test('holds a registry with the container image, byte for byte', () => {
      const { digest, config, layers } = readImage(join(scratch, 'layout'), hostArch())
      const root = join(workdir, 'registry/docker/registry/v2')
      const current = `repositories/${CONTROLLER_IMAGE.repository}/${CONTROLLER_IMAGE.name}/_manifests/tags/${CONTROLLER_IMAGE.tag}/current/link`
      expect(readFileSync(join(root, current), 'utf8')).toBe(digest)
      for (const each of [digest, config.digest, ...layers.map((layer) => layer.digest)]) {
        const hash = each.slice('sha256:'.length)
        const blob = readFileSync(join(root, 'blobs/sha256', hash.slice(0, 2), hash, 'data'))
        expect(new Bun.CryptoHasher('sha256').update(blob).digest('hex')).toBe(hash)
      }
    })

    test(
      'installs by kubectl where there is no helm, and again for an upgrade',
      async () => {
        const first = await runCommand({ HELM_OPTS: '' })
        expect(first).toMatchObject({ code: 0, stderr: '' })
        expect(first.stdout).toContain('deployment.apps/endpoints-operator created')
        const again = await runCommand({ HELM_OPTS: '' })
        expect(again).toMatchObject({ code: 0, stderr: '' })
        expect(again.stdout).toContain('deployment.apps/endpoints-operator unchanged')
      },
      TEST_MAX_MS,
    )

    const refusals = [
      { env: { HELM_OPTS: '--set a=b' }, message: 'HELM_OPTS is for Helm' },
      { env: { NAMESPACE: 'elsewhere' }, message: 'another NAMESPACE needs helm' },
      { env: { NAME: 'other' }, message: 'the manifest has no other NAME' },
    ] as const
    test.each(refusals)('without helm says that $message, and changes nothing', async (row) => {
      const { code, stdout, stderr } = await runCommand(row.env)
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toStartWith('endpoints-operator: ')
      expect(stderr).toContain(row.message)
    })

    test(
      'leaves to Helm what Helm installed',
      async () => {
        const label = ['label', 'deployment', 'endpoints-operator', '-n', 'kube-system']
        const managed = 'app.kubernetes.io/managed-by'
        await runCommand({})
        await plane.kubectl([...label, '--overwrite', `${managed}=Helm`])
        const { code, stderr } = await runCommand({})
        await plane.kubectl(['delete', 'deployment', 'endpoints-operator', '-n', 'kube-system'])
        expect({ code, stderr }).toEqual({
          code: 1,
          stderr:
            'endpoints-operator: Helm installed it here: put helm on the PATH (sealos run labring/helm)\n',
        })
      },
      TEST_MAX_MS,
    )

    const helm = findHelm()
    if (!helm) console.error(`SKIPPED: the cluster image installs by helm: ${NO_HELM}`)
    test.skipIf(!helm)(
      'installs by helm where there is one, and again for an upgrade, with the options given',
      async () => {
        const env = { NAMESPACE: 'helmed', HELM_OPTS: '--set replicaCount=1' }
        // The roles of the manifest are not Helm's, which would refuse them.
        await plane.kubectl(['delete', '-f', join(workdir, 'manifests/install.yaml')])
        for (const revision of ['1', '2']) {
          const { code, stdout, stderr } = await runCommand(env, helm)
          expect({ code, stderr }).toMatchObject({ code: 0 })
          expect(stdout).toContain(`REVISION: ${revision}`)
        }
        const shown = await plane.kubectl([
          'get',
          'deployment',
          'endpoints-operator',
          '-n',
          'helmed',
          '-o',
          'jsonpath={.spec.replicas}',
        ])
        expect(shown.stdout).toBe('1')
      },
      TEST_MAX_MS,
    )

    /** Does with the command what sealos does: bash, in the folder, with the image's variables. */
    async function runCommand(env: Readonly<Record<string, string>>, helmPath?: string) {
      const found = findBinaries()
      if (!found.ok) throw new Error(found.why)
      const bin = mkdtempSync(join(scratch, 'bin-'))
      symlinkSync(found.binaries.kubectl, join(bin, 'kubectl'))
      if (helmPath) symlinkSync(helmPath, join(bin, 'helm'))
      for (const name of ['bash', 'dirname'])
        symlinkSync(commandPath(name) ?? name, join(bin, name))
      const child = Bun.spawn(['bash', '-c', `cd ${workdir} && ${command.join('; ')}`], {
        env: { PATH: bin, HOME: bin, KUBECONFIG: plane.kubeconfig, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()])
      return { code: await child.exited, stdout, stderr }
    }
  }),
)

/** Unpacks the one layer of a cluster image into `folder`; the commands that sealos would run. */
async function unpackCluster(
  archive: string,
  folder: string,
  scratch: string,
): Promise<readonly string[]> {
  const copy = join(scratch, 'cluster')
  await run(['skopeo', 'copy', `oci-archive:${archive}`, `dir:${copy}`])
  const manifest = v.parse(
    v.object({ layers: v.tuple([v.object({ digest: v.string() })]) }),
    JSON.parse(readFileSync(join(copy, 'manifest.json'), 'utf8')),
  )
  mkdirSync(folder)
  const layer = join(copy, manifest.layers[0].digest.slice('sha256:'.length))
  await run(['tar', '--extract', '--gzip', '--file', layer, '--directory', folder])
  const config = await run(['skopeo', 'inspect', '--config', `oci-archive:${archive}`])
  const schema = v.object({ config: v.object({ Cmd: v.array(v.string()) }) })
  return v.parse(schema, JSON.parse(config)).config.Cmd
}
