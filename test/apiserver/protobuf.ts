// The protobuf that `kubectl create namespace|service` sends and that nothing can talk it out of: just
// enough decoding for these kinds. Field numbers: k8s.io/api core/v1/generated.proto.

import { isMap, type Json, type JsonMap } from './json.ts'
import { badRequest } from './status.ts'

/** The media type of such a body. */
export const PROTOBUF = 'application/vnd.kubernetes.protobuf'

interface Field {
  readonly name: string
  readonly as: 'text' | 'number' | 'pair' | Message
  readonly isList?: boolean
}
type Message = ReadonlyMap<number, Field>

function message(fields: Readonly<Record<number, Field>>): Message {
  return new Map(Object.entries(fields).map(([number, field]) => [Number(number), field]))
}

const objectMeta = message({
  1: { name: 'name', as: 'text' },
  2: { name: 'generateName', as: 'text' },
  3: { name: 'namespace', as: 'text' },
  11: { name: 'labels', as: 'pair' },
  12: { name: 'annotations', as: 'pair' },
})

const intOrString = message({
  1: { name: 'type', as: 'number' },
  2: { name: 'intVal', as: 'number' },
  3: { name: 'strVal', as: 'text' },
})

const servicePort = message({
  1: { name: 'name', as: 'text' },
  2: { name: 'protocol', as: 'text' },
  3: { name: 'port', as: 'number' },
  4: { name: 'targetPort', as: intOrString },
  5: { name: 'nodePort', as: 'number' },
})

const serviceSpec = message({
  1: { name: 'ports', as: servicePort, isList: true },
  2: { name: 'selector', as: 'pair' },
  3: { name: 'clusterIP', as: 'text' },
  4: { name: 'type', as: 'text' },
  10: { name: 'externalName', as: 'text' },
})

const kinds: { readonly [kind: string]: Message } = {
  DeleteOptions: message({
    2: { name: 'preconditions', as: message({ 1: { name: 'uid', as: 'text' } }) },
    4: { name: 'propagationPolicy', as: 'text' },
  }),
  Namespace: message({ 1: { name: 'metadata', as: objectMeta } }),
  Service: message({
    1: { name: 'metadata', as: objectMeta },
    2: { name: 'spec', as: serviceSpec },
  }),
}

const typeMeta = message({
  1: { name: 'apiVersion', as: 'text' },
  2: { name: 'kind', as: 'text' },
})

/** The object in a body that begins with `k8s\0`. Throws 400 for other kinds. */
export function decodeProtobuf(body: Uint8Array): JsonMap {
  let type: JsonMap = {}
  let raw: Uint8Array = new Uint8Array()
  for (const { number, bytes } of fieldsOf(body.subarray(4))) {
    if (number === 1) type = decode(bytes, typeMeta)
    if (number === 2) raw = bytes
  }
  const { kind } = type
  const known = typeof kind === 'string' ? kinds[kind] : undefined
  if (known === undefined) throw badRequest(`this test server cannot read protobuf of ${kind}`)
  return { ...type, ...decode(raw, known) }
}

function decode(bytes: Uint8Array, fields: Message): JsonMap {
  const out: Record<string, Json> = {}
  for (const { number, value, bytes: content } of fieldsOf(bytes)) {
    const field = fields.get(number)
    if (field === undefined) continue
    const decoded = decodeField(field, value, content)
    const before = out[field.name]
    if (field.isList) out[field.name] = [...(Array.isArray(before) ? before : []), decoded]
    else if (field.as === 'pair') out[field.name] = { ...mapOf(before), ...mapOf(decoded) }
    else if (decoded !== '' && decoded !== 0) out[field.name] = decoded
  }
  return out
}

function mapOf(value: Json | undefined): JsonMap {
  return isMap(value) ? value : {}
}

function decodeField(field: Field, value: number, bytes: Uint8Array): Json {
  switch (field.as) {
    case 'text':
      return textOf(bytes)
    case 'number':
      return value
    case 'pair': {
      const [key, item] = [...fieldsOf(bytes)].map((part) => textOf(part.bytes))
      return { [key ?? '']: item ?? '' }
    }
    default: {
      const decoded = decode(bytes, field.as)
      if (field.as !== intOrString) return decoded
      return decoded.strVal ?? decoded.intVal ?? 0
    }
  }
}

interface WireField {
  readonly number: number
  readonly value: number
  readonly bytes: Uint8Array
}

const EMPTY = new Uint8Array()

function* fieldsOf(bytes: Uint8Array): Generator<WireField> {
  let offset = 0
  const varint = () => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[offset]
      if (byte === undefined) throw badRequest('error decoding protobuf: it ends too soon')
      offset += 1
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  while (offset < bytes.length) {
    const tag = varint()
    const number = Math.floor(tag / 8)
    if (tag % 8 === 0) yield { number, value: varint(), bytes: EMPTY }
    else if (tag % 8 === 2) {
      const length = varint()
      yield { number, value: 0, bytes: bytes.subarray(offset, offset + length) }
      offset += length
    } else throw badRequest('error decoding protobuf: unexpected wire type')
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
