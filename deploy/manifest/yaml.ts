// Kubernetes objects as YAML with comments, which neither JSON nor Bun.YAML can carry. Pure.

/** What a manifest is made of. */
export type Node =
  | string
  | number
  | boolean
  | Noted
  | readonly Node[]
  | { readonly [key: string]: Node }

/** A text with a comment behind it. */
export class Noted {
  constructor(
    readonly text: string,
    readonly note: string,
  ) {}
}

/** What YAML reads as the same text without quotes: not a number, a word like `true`, or an indicator. */
const PLAIN = /^(?!(?:true|false|null|yes|no|on|off|y|n)$)[a-z/][\w./:-]*(?<!:)$/i

/** `node` as a YAML document; ends with a line break. */
export function toYaml(node: Node): string {
  return `${lines(node).join('\n')}\n`
}

function lines(node: Node): string[] {
  if (isList(node)) {
    return node.flatMap((item) => lines(item).map((line, n) => `${n === 0 ? '- ' : '  '}${line}`))
  }
  if (!isMap(node)) return [scalar(node)]
  return Object.entries(node).flatMap(([key, value]) => {
    if (!isList(value) && !isMap(value)) return [`${scalar(key)}: ${scalar(value)}`]
    return [`${scalar(key)}:`, ...lines(value).map((line) => `  ${line}`)]
  })
}

function scalar(value: string | number | boolean | Noted): string {
  if (value instanceof Noted) return `${scalar(value.text)} # ${value.note}`
  if (typeof value !== 'string') return String(value)
  return PLAIN.test(value) ? value : JSON.stringify(value)
}

function isList(node: Node): node is readonly Node[] {
  return Array.isArray(node)
}

function isMap(node: Node): node is { readonly [key: string]: Node } {
  return typeof node === 'object' && !isList(node) && !(node instanceof Noted)
}
