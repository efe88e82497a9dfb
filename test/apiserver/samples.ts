// Objects that the tests of this folder share.

import type { Json, JsonMap } from './json.ts'

export const SERVICES = '/api/v1/namespaces/default/services'
export const ENDPOINTS = '/api/v1/namespaces/default/endpoints'
export const LEASES = '/apis/coordination.k8s.io/v1/namespaces/default/leases'
export const WIDGETS = '/apis/example.com/v1/namespaces/default/widgets'

/** A Service with these ports. */
export function service(name: string, ports: readonly Json[], metadata: JsonMap = {}): JsonMap {
  return { apiVersion: 'v1', kind: 'Service', metadata: { ...metadata, name }, spec: { ports } }
}

/** A Service port whose fields are all there, as server-side apply wants it. */
export function port(name: string, number: number): JsonMap {
  return { name, port: number, protocol: 'TCP', targetPort: number }
}

/** Endpoints with these addresses on port 80. */
export function endpoints(name: string, ips: readonly string[]): JsonMap {
  const subset = { addresses: ips.map((ip) => ({ ip })), ports: [{ port: 80 }] }
  return { apiVersion: 'v1', kind: 'Endpoints', metadata: { name }, subsets: [subset] }
}

/** A custom resource. */
export function widget(name: string, spec: JsonMap, metadata: JsonMap = {}): JsonMap {
  return { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { ...metadata, name }, spec }
}

/** A definition with something of everything that the server enforces. */
export const widgetCrd = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: widgets.example.com }
spec:
  group: example.com
  scope: Namespaced
  names: { plural: widgets, kind: Widget, shortNames: [wd] }
  versions:
    - name: v1
      served: true
      storage: true
      subresources: { status: {} }
      additionalPrinterColumns:
        - { name: Size, type: integer, jsonPath: .spec.size }
        - { name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status' }
        - { name: Age, type: date, jsonPath: .metadata.creationTimestamp }
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [size]
              properties:
                size: { type: integer, minimum: 1, maximum: 9 }
                color: { type: string, enum: [red, blue], default: red }
                code: { type: string, pattern: '^[a-z]+$', minLength: 2, maxLength: 4 }
                tags: { type: array, minItems: 1, maxItems: 2, items: { type: string } }
                target: { x-kubernetes-int-or-string: true }
                free: { type: object, x-kubernetes-preserve-unknown-fields: true }
                parts:
                  type: array
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [name]
                  items:
                    type: object
                    required: [name]
                    properties:
                      name: { type: string }
                      count: { type: integer, default: 1 }
            status:
              type: object
              properties:
                phase: { type: string }
                conditions:
                  type: array
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [type]
                  items:
                    type: object
                    required: [type, status]
                    properties:
                      type: { type: string }
                      status: { type: string }
                      reason: { type: string }
`
