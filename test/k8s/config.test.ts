// Where the cluster is and how we log in: every form of a kubeconfig, the service account of a pod, and
// what a person reads when it is wrong.

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '../../k8s/client.ts'
import { type ConfigOptions, loadConfig } from '../../k8s/config.ts'
import { CannotStart, messageOf } from '../../k8s/errors.ts'
import { json, startScriptedApi } from './scripted-api.ts'

const PEM = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----`
const base64 = (text: string) => Buffer.from(text).toString('base64')

let folder: string
const kept = { ...process.env }
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'))
  for (const name of ['KUBECONFIG', 'KUBERNETES_SERVICE_HOST', 'KUBERNETES_SERVICE_PORT'])
    delete process.env[name]
  process.env.HOME = folder
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
  for (const name of ['KUBECONFIG', 'KUBERNETES_SERVICE_HOST', 'KUBERNETES_SERVICE_PORT', 'HOME']) {
    if (kept[name] === undefined) delete process.env[name]
    else process.env[name] = kept[name]
  }
})

function file(name: string, text: string): string {
  const path = join(folder, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, text)
  return path
}

type Fields = Readonly<Record<string, unknown>>

/** A kubeconfig file with one context. */
function kubeconfig(cluster: Fields, user: Fields = {}, name = 'kubeconfig'): string {
  return file(
    name,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'k', user: 'u', namespace: 'ns' } }],
      clusters: [{ name: 'k', cluster: { server: 'https://10.0.0.1:6443', ...cluster } }],
      users: [{ name: 'u', user }],
    }),
  )
}

async function credentialsOf(options: ConfigOptions) {
  return await (await loadConfig(options)).credentials()
}

async function complaint(options: ConfigOptions, serviceAccount?: string): Promise<string> {
  try {
    await loadConfig(options, serviceAccount === undefined ? {} : { serviceAccount })
  } catch (error) {
    expect(error).toBeInstanceOf(CannotStart)
    expect(messageOf(error)).not.toContain('\n')
    return messageOf(error).replaceAll(folder, '.')
  }
  throw new Error('It took it')
}

describe('a plain kubeconfig', () => {
  test('gives server, namespace and proxy', async () => {
    const cluster = { server: 'https://10.0.0.1:6443/base/', 'proxy-url': 'http://u:p@proxy:3128' }
    const config = await loadConfig({ kubeconfig: kubeconfig(cluster) })
    expect(config).toMatchObject({
      server: 'https://10.0.0.1:6443/base',
      namespace: 'ns',
      proxy: 'http://u:p@proxy:3128',
    })
  })

  const forms: readonly {
    readonly name: string
    readonly cluster?: Fields
    readonly user?: Fields
    readonly expected: Fields
  }[] = [
    { name: 'nothing', expected: { headers: {}, tls: {} } },
    {
      name: 'a token',
      user: { token: 't' },
      expected: { headers: { Authorization: 'Bearer t' }, tls: {} },
    },
    {
      name: 'a token file, which wins over a token, relative to the kubeconfig',
      user: { token: 't', tokenFile: 'secrets/token' },
      expected: { headers: { Authorization: 'Bearer from file' }, tls: {} },
    },
    {
      name: 'certificates in the file',
      cluster: { 'certificate-authority-data': base64(PEM('ca')) },
      user: {
        'client-certificate-data': base64(PEM('cert')),
        'client-key-data': base64(PEM('key')),
      },
      expected: { headers: {}, tls: { ca: PEM('ca'), cert: PEM('cert'), key: PEM('key') } },
    },
    {
      name: 'certificates in files, relative to the kubeconfig',
      cluster: { 'certificate-authority': 'secrets/ca.crt' },
      user: { 'client-certificate': './secrets/cert.crt', 'client-key': 'secrets/key.pem' },
      expected: {
        headers: {},
        tls: { ca: PEM('file ca'), cert: PEM('file cert'), key: PEM('file key') },
      },
    },
    {
      name: 'data that wins over a file',
      cluster: {
        'certificate-authority': 'missing',
        'certificate-authority-data': base64(PEM('ca')),
      },
      expected: { headers: {}, tls: { ca: PEM('ca') } },
    },
    {
      name: 'verification off, and the name to verify',
      cluster: { 'insecure-skip-tls-verify': true, 'tls-server-name': 'api.test' },
      expected: { headers: {}, tls: { rejectUnauthorized: false, serverName: 'api.test' } },
    },
    {
      name: 'fields that are there and empty, or null',
      cluster: { 'certificate-authority': '', 'proxy-url': null, 'tls-server-name': '' },
      user: { token: '', 'client-key': null },
      expected: { headers: {}, tls: {} },
    },
  ]
  for (const { name, cluster = {}, user = {}, expected } of forms) {
    test(`may carry ${name}`, async () => {
      file('secrets/token', 'from file\n')
      file('secrets/ca.crt', PEM('file ca'))
      file('secrets/cert.crt', `${PEM('file cert')}\n`)
      file('secrets/key.pem', PEM('file key'))
      const credentials = await credentialsOf({ kubeconfig: kubeconfig(cluster, user) })
      expect(JSON.parse(JSON.stringify(credentials))).toEqual(expected)
    })
  }

  test('may be YAML, with more in it than we know', async () => {
    const path = file(
      'k.yaml',
      `apiVersion: v1
kind: Config
preferences: {}
extensions: []
current-context: two
contexts:
- {name: one, context: {cluster: a, user: a}}
- {name: two, context: {cluster: b, user: b, extensions: [{name: x, extension: {}}]}}
clusters:
- name: a
  cluster: {server: "https://a"}
- name: b
  cluster: {server: "https://b:6443", extensions: [{name: minikube, extension: {}}]}
users:
- name: a
  user: {token: for-a}
- name: b
  user: {token: for-b}
`,
    )
    const config = await loadConfig({ kubeconfig: path })
    expect(config).toMatchObject({ server: 'https://b:6443', namespace: undefined })
    expect((await config.credentials()).headers).toEqual({ Authorization: 'Bearer for-b' })
  })

  test('needs no user', async () => {
    const path = file(
      'k',
      JSON.stringify({
        'current-context': 'c',
        contexts: [{ name: 'c', context: { cluster: 'k' } }],
        clusters: [{ name: 'k', cluster: { server: 'http://127.0.0.1:8080' } }],
        users: null,
      }),
    )
    expect(await credentialsOf({ kubeconfig: path })).toEqual({ headers: {}, tls: {} })
  })

  const bad: readonly {
    readonly name: string
    readonly path: () => string
    readonly expected: string
  }[] = [
    {
      name: 'that is not there',
      path: () => join(folder, 'none'),
      expected: 'Cannot read kubeconfig "./none": ENOENT',
    },
    {
      name: 'that is a folder',
      path: () => folder,
      expected: 'Cannot read kubeconfig ".": EISDIR',
    },
    {
      name: 'that is no YAML',
      path: () => file('k', 'users: [{token: SECRET'),
      expected: 'Cannot read kubeconfig "./k": YAML Parse error',
    },
    {
      name: 'that is empty',
      path: () => file('k', ''),
      expected: 'Cannot use "./k" as it is no kubeconfig, see the top',
    },
    {
      name: 'that is a text',
      path: () => file('k', 'SECRET'),
      expected: 'Cannot use "./k" as it is no kubeconfig, see the top',
    },
    {
      name: 'with a cluster of another form',
      path: () => kubeconfig({ server: ['SECRET'] }),
      expected: 'Cannot use "./kubeconfig" as it is no kubeconfig, see clusters.0.cluster.server',
    },
    {
      name: 'without a current context',
      path: () => file('k', 'apiVersion: v1\nclusters: []\n'),
      expected: 'Cannot use kubeconfig "./k" as it has no current context with a cluster',
    },
    {
      name: 'whose context names a cluster that is not there',
      path: () =>
        file('k', 'current-context: c\ncontexts: [{name: c, context: {cluster: none}}]\n'),
      expected: 'Cannot use kubeconfig "./k" as it has no current context with a cluster',
    },
    {
      name: 'with a file that is missing',
      path: () => kubeconfig({ 'certificate-authority': 'none.crt' }),
      expected: 'Cannot use kubeconfig "./kubeconfig": ENOENT',
    },
    {
      name: 'with a file that is empty',
      path: () => kubeconfig({}, { tokenFile: file('token', ' \n') }),
      expected: 'Cannot use kubeconfig "./kubeconfig": "./token" is empty',
    },
    {
      name: 'with a key that is no PEM',
      path: () => kubeconfig({}, { 'client-key-data': base64('SECRET') }),
      expected: 'Cannot use kubeconfig "./kubeconfig": client-key-data holds no PEM block',
    },
    {
      name: 'with a server that is no URL',
      path: () => kubeconfig({ server: 'ftp://x' }),
      expected: 'Cannot use "ftp://x" as it must be a URL like https://10.0.0.1:6443',
    },
    {
      name: 'with a password in the URL of the server',
      path: () => kubeconfig({ server: 'https://user:SECRET@10.0.0.1' }),
      expected: 'Cannot use a URL with a password in it; a kubeconfig has fields for that',
    },
    {
      name: 'with a proxy that Bun cannot use',
      path: () => kubeconfig({ 'proxy-url': 'socks5://user:SECRET@proxy' }),
      expected: 'Cannot use proxy-url of the kubeconfig as it must begin with http:// or https://',
    },
    {
      name: 'whose user is to be somebody else',
      path: () => kubeconfig({}, { token: 'SECRET', as: 'admin' }),
      expected: 'Cannot use kubeconfig "./kubeconfig" as its user impersonates another one',
    },
    {
      name: 'with a user that is a text',
      path: () =>
        file(
          'k',
          'current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: "https://a"}}]\nusers: [{name: u, user: SECRET}]\n',
        ),
      expected: 'Cannot use "./k" as it is no kubeconfig, see users.0.user',
    },
  ]
  for (const { name, path, expected } of bad) {
    test(`${name} is told in one line, without a secret`, async () => {
      const text = await complaint({ kubeconfig: path() })
      expect(text).toStartWith(expected)
      expect(text).not.toContain('SECRET')
    })
  }

  test('whose path has a colon is one file', async () => {
    const path = kubeconfig({ server: 'https://colon' }, {}, 'a:b')
    expect((await loadConfig({ kubeconfig: path })).server).toBe('https://colon')
  })
})

describe('files that change', () => {
  test('a token is read again after 401, and kept while its file is empty or away', async () => {
    const tokenFile = file('token', 'first')
    const config = await loadConfig({ kubeconfig: kubeconfig({}, { tokenFile: 'token' }) })
    const token = async () => (await config.credentials()).headers.Authorization
    expect(await token()).toBe('Bearer first')

    writeFileSync(tokenFile, 'second')
    expect(await token()).toBe('Bearer first')
    config.forget()
    expect(await token()).toBe('Bearer second')

    for (const breakIt of [() => writeFileSync(tokenFile, ''), () => rmSync(tokenFile)]) {
      breakIt()
      config.forget()
      expect(await token()).toBe('Bearer second')
    }
    writeFileSync(tokenFile, 'third')
    config.forget()
    expect(await token()).toBe('Bearer third')
  })

  test('a certificate that is half written is not taken', async () => {
    const path = file('cert.crt', PEM('old'))
    const user = { 'client-certificate': 'cert.crt', 'client-key-data': base64(PEM('key')) }
    const config = await loadConfig({ kubeconfig: kubeconfig({}, user) })
    const cert = async () => (await config.credentials()).tls.cert
    expect(await cert()).toBe(PEM('old'))
    writeFileSync(path, PEM('new').slice(0, 40))
    config.doubt()
    expect(await cert()).toBe(PEM('old'))
    writeFileSync(path, PEM('new'))
    config.doubt()
    expect(await cert()).toBe(PEM('new'))
  })
})

describe('which cluster is taken', () => {
  const named = (name: string) => kubeconfig({ server: `https://${name}` }, {}, name)
  const inPod = () => {
    process.env.KUBERNETES_SERVICE_HOST = '10.96.0.1'
    file('account/token', 't')
    return { serviceAccount: join(folder, 'account') }
  }

  test('the flag wins over everything', async () => {
    process.env.KUBECONFIG = named('env')
    const config = await loadConfig({ kubeconfig: named('flag') }, inPod())
    expect(config.server).toBe('https://flag')
  })

  test('$KUBECONFIG wins over the pod', async () => {
    process.env.KUBECONFIG = named('env')
    expect((await loadConfig({}, inPod())).server).toBe('https://env')
  })

  test('the pod wins over ~/.kube/config', async () => {
    named('.kube/config')
    expect((await loadConfig({}, inPod())).server).toBe('https://10.96.0.1')
  })

  test('~/.kube/config is the last', async () => {
    kubeconfig({ server: 'https://home' }, {}, '.kube/config')
    expect((await loadConfig({})).server).toBe('https://home')
  })

  test('none is told with what to do', async () => {
    expect(await complaint({})).toBe(
      'Cannot find a cluster: use --kubeconfig FILE, set KUBECONFIG, or run in a pod',
    )
  })

  test('of several files in $KUBECONFIG, missing ones are passed over and the first wins', async () => {
    const one = file(
      'one',
      JSON.stringify({
        contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
        users: [{ name: 'u', user: { tokenFile: 'token' } }],
      }),
    )
    const two = kubeconfig({ server: 'https://two' }, { token: 'of two' }, 'sub/two')
    file('token', 'of one')
    file('sub/token', 'wrong folder')
    process.env.KUBECONFIG = `${join(folder, 'none')}::${one}:${two}`
    const config = await loadConfig({})
    expect(config).toMatchObject({ server: 'https://two', namespace: undefined })
    expect((await config.credentials()).headers).toEqual({ Authorization: 'Bearer of one' })
  })

  const masters: readonly (readonly [master: string, server: string])[] = [
    ['https://10.0.0.9:6443', 'https://10.0.0.9:6443'],
    ['https://10.0.0.9:6443///', 'https://10.0.0.9:6443'],
    ['http://[fd00::1]:8080', 'http://[fd00::1]:8080'],
  ]
  for (const [master, server] of masters) {
    test(`--master ${master} wins over the server, and keeps the login`, async () => {
      const config = await loadConfig({ kubeconfig: kubeconfig({}, { token: 't' }), master })
      expect(config.server).toBe(server)
      expect((await config.credentials()).headers).toEqual({ Authorization: 'Bearer t' })
    })
  }

  test('--master alone is enough, and may leave the scheme out', async () => {
    expect((await loadConfig({ master: '127.0.0.1:8080' })).server).toBe('http://127.0.0.1:8080')
  })

  for (const master of ['foo bar', 'ftp://x', 'https://', '://', 'https://a?b=c']) {
    test(`--master "${master}" is refused`, async () => {
      expect(await complaint({ master })).toBe(
        `Cannot use "${master}" as it must be a URL like https://10.0.0.1:6443`,
      )
    })
  }
})

describe('a pod', () => {
  const account = () => join(folder, 'account')
  beforeEach(() => {
    process.env.KUBERNETES_SERVICE_HOST = '10.96.0.1'
    process.env.KUBERNETES_SERVICE_PORT = '6443'
    file('account/token', 'first\n')
    file('account/ca.crt', PEM('ca'))
    file('account/namespace', 'kube-system')
  })
  const load = (options: ConfigOptions = {}) => loadConfig(options, { serviceAccount: account() })

  test('has its service account', async () => {
    const config = await load()
    expect(config).toMatchObject({ server: 'https://10.96.0.1:6443', namespace: 'kube-system' })
    expect(await config.credentials()).toEqual({
      headers: { Authorization: 'Bearer first' },
      tls: { ca: PEM('ca') },
    })
  })

  test('may be in an IPv6 cluster', async () => {
    process.env.KUBERNETES_SERVICE_HOST = 'fd00:10:96::1'
    expect((await load()).server).toBe('https://[fd00:10:96::1]:6443')
  })

  test('without a token is told so', async () => {
    rmSync(join(account(), 'token'))
    expect(await complaint({}, account())).toBe(
      'Cannot read the token of the service account at ./account: mount it, or use --kubeconfig FILE',
    )
  })

  test('follows the kubelet, which swaps the folder that all files lead to', async () => {
    // ..data is a link that is renamed over; token and ca.crt lead through it.
    const mount = join(folder, 'mount')
    const put = (version: string, token: string, ca: string) => {
      file(`mount/${version}/token`, token)
      file(`mount/${version}/ca.crt`, ca)
      symlinkSync(version, join(mount, '..tmp'))
      renameSync(join(mount, '..tmp'), join(mount, '..data'))
    }
    put('..1', 'one', PEM('one'))
    for (const name of ['token', 'ca.crt']) symlinkSync(`..data/${name}`, join(mount, name))
    const config = await loadConfig({}, { serviceAccount: mount })
    const now = async () => {
      const { headers, tls } = await config.credentials()
      return [headers.Authorization, tls.ca]
    }
    expect(await now()).toEqual(['Bearer one', PEM('one')])
    put('..2', 'two', PEM('two'))
    expect(await now()).toEqual(['Bearer one', PEM('one')])
    config.forget()
    expect(await now()).toEqual(['Bearer two', PEM('two')])
    // Half swapped: no token, and an authority that is cut.
    put('..3', '', PEM('three').slice(0, 35))
    config.forget()
    expect(await now()).toEqual(['Bearer two', PEM('two')])
    rmSync(join(mount, '..data'))
    config.doubt()
    expect(await now()).toEqual(['Bearer two', PEM('two')])
    put('..4', 'four', PEM('four'))
    config.doubt()
    expect(await now()).toEqual(['Bearer four', PEM('four')])
  })
})

describe('a kubeconfig that needs client-node', () => {
  /** An exec plugin that counts its runs and answers with the token `run <n>`. */
  function plugin(more = ''): Fields {
    const command = file(
      'plugin',
      `#!/bin/sh
echo run >> ${join(folder, 'runs')}
${more}
printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"run %s"}}' $(wc -l < ${join(folder, 'runs')})
`,
    )
    chmodSync(command, 0o755)
    return { exec: { apiVersion: 'client.authentication.k8s.io/v1', command, args: [] } }
  }

  test('runs an exec plugin, once, and again when its token is refused', async () => {
    using api = await startScriptedApi()
    api.script(json(200, {}), json(200, {}), json(401, {}), json(200, {}))
    const config = await loadConfig({
      kubeconfig: kubeconfig({ server: api.url, 'insecure-skip-tls-verify': true }, plugin()),
    })
    const client = createClient(config, { userAgent: 'test' })
    for (let n = 0; n < 4; n++) await client.request({ method: 'GET', path: '/x' }).catch(() => {})
    expect(api.asked.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer run 1',
      'Bearer run 1',
      'Bearer run 1',
      'Bearer run 2',
    ])
  })

  test('runs an exec plugin once for many requests at once', async () => {
    const config = await loadConfig({ kubeconfig: kubeconfig({}, plugin('sleep 0.2')) })
    const all = await Promise.all(Array.from({ length: 10 }, () => config.credentials()))
    expect(new Set(all.map(({ headers }) => headers.Authorization))).toEqual(
      new Set(['Bearer run 1']),
    )
  })

  test('tells a plugin that fails in one line', async () => {
    const config = await loadConfig({
      kubeconfig: kubeconfig({}, plugin('echo "log in first" >&2; echo "page two" >&2; exit 1')),
    })
    const error = await config.credentials().catch(messageOf)
    expect(String(error).replaceAll(folder, '.')).toBe(
      'Cannot get credentials by kubeconfig "./kubeconfig": log in first',
    )
  })

  test('has a name and a password', async () => {
    const user = { username: 'admin', password: 'pässword:x' }
    const { headers } = await credentialsOf({ kubeconfig: kubeconfig({}, user) })
    expect(headers).toEqual({ Authorization: `Basic ${base64('admin:pässword:x')}` })
  })

  test('keeps authority, certificates, name and files relative to it', async () => {
    file('ca.crt', PEM('ca'))
    const cluster = { 'certificate-authority': 'ca.crt', 'tls-server-name': 'api.test' }
    const { tls } = await credentialsOf({ kubeconfig: kubeconfig(cluster, plugin()) })
    expect(tls).toEqual({ ca: PEM('ca'), serverName: 'api.test' })
  })

  test('is not loaded for a plain one', () => {
    const path = kubeconfig({}, { token: 't' })
    const script = `
      const { loadConfig } = await import(${JSON.stringify(`${import.meta.dir}/../../k8s/config.ts`)})
      await (await loadConfig({ kubeconfig: ${JSON.stringify(path)} })).credentials()
      console.log(Object.keys(require.cache).some((path) => path.includes('client-node/')))`
    const { stdout, stderr } = Bun.spawnSync([process.execPath, '-e', script])
    expect({ out: stdout.toString().trim(), err: stderr.toString() }).toEqual({
      out: 'false',
      err: '',
    })
  })
})
