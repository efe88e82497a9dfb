// ClusterEndpoints as tests write them: short, and every field that matters in sight.

/** `spec` of a ClusterEndpoint, unchecked: tests send wrong ones too. */
export type CepSpec = {
  readonly ports: readonly PortSpec[]
  readonly [field: string]: unknown
}

export type PortSpec = { readonly [field: string]: unknown }

/** A ClusterEndpoint; the namespace is that of the path it is sent to. */
export function clusterEndpoint(
  name: string,
  spec: unknown,
  metadata: Readonly<{ [key: string]: unknown }> = {},
): unknown {
  return {
    apiVersion: 'sealos.io/v1beta1',
    kind: 'ClusterEndpoint',
    metadata: { name, ...metadata },
    spec,
  }
}

/** One entry of `spec.ports` with a TCP probe; `more` wins. */
export function tcpPort(
  name: string,
  targetPort: number,
  hosts: readonly string[],
  more: PortSpec = {},
): PortSpec {
  return { name, port: 80, targetPort, hosts, tcpSocket: { enable: true }, ...more }
}
