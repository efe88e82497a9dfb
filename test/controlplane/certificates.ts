// The certificates of one control plane, made by openssl: an authority, the API server's, an administrator's.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Paths of PEM files. */
export type Certificates = {
  readonly ca: string
  readonly serverCert: string
  readonly serverKey: string
  /** A client in the group system:masters, who may do anything. */
  readonly adminCert: string
  readonly adminKey: string
  /** Signs and checks the tokens of service accounts. */
  readonly serviceAccountKey: string
}

const daysValid = '30'
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** Writes them into `folder`; the server's is good for `addresses` (IP) and the usual names. */
export function makeCertificates(folder: string, addresses: readonly string[]): Certificates {
  const file = (name: string) => join(folder, name)
  const ca = file('ca.crt')
  const caKey = file('ca.key')

  openssl([
    ...['req', '-x509', ...newKey, '-subj', '/CN=endpoints-operator test CA', '-days', daysValid],
    ...['-keyout', caKey, '-out', ca],
  ])

  function issue(name: string, subject: string, extensions: readonly string[]): void {
    const request = file(`${name}.csr`)
    const extensionFile = file(`${name}.ext`)
    writeFileSync(extensionFile, extensions.join('\n'))
    openssl([
      ...['req', '-new', ...newKey, '-subj', subject],
      ...['-keyout', file(`${name}.key`), '-out', request],
    ])
    openssl([
      ...['x509', '-req', '-in', request, '-CA', ca, '-CAkey', caKey, '-CAcreateserial'],
      ...['-days', daysValid, '-extfile', extensionFile, '-out', file(`${name}.crt`)],
    ])
  }

  const names = ['localhost', 'kubernetes.default.svc'].map((name) => `DNS:${name}`)
  const alternatives = [...names, ...addresses.map((address) => `IP:${address}`)].join(',')
  issue('server', '/CN=kube-apiserver', [
    `subjectAltName=${alternatives}`,
    'extendedKeyUsage=serverAuth',
  ])
  issue('admin', '/O=system:masters/CN=admin', ['extendedKeyUsage=clientAuth'])
  openssl(['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', file('sa.key')])

  return {
    ca,
    serverCert: file('server.crt'),
    serverKey: file('server.key'),
    adminCert: file('admin.crt'),
    adminKey: file('admin.key'),
    serviceAccountKey: file('sa.key'),
  }
}

function openssl(args: readonly string[]): void {
  const done = Bun.spawnSync(['openssl', ...args], { stdin: 'ignore' })
  if (done.exitCode === 0) return
  throw new Error(`Cannot run openssl ${args[0]}: ${done.stderr.toString().trim()}`)
}
