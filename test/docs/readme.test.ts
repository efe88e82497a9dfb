// README.md in both languages, and what it links to: links that lead somewhere, the same content, and tables
// that say what the program says.

import { describe, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as v from 'valibot'
import { RUN_FLAGS } from '../../cli/run.ts'
import { COMMANDS } from '../../cli/usage.ts'
import { CLUSTER_RULES, LEASE_RULES } from '../../deploy/manifest/rbac.ts'
import { anchorsOf, linksOf, rowsOf, type Section, sectionsOf } from './markdown.ts'

const ROOT = join(import.meta.dir, '../..')
const PAGES = [
  'README.md',
  'README.zh-CN.md',
  'CHANGELOG.md',
  'deploy/IMAGE.md',
  'deploy/monitoring/README.md',
  'test/FAULTS.md',
  'test/bench/RESULTS.md',
]
const english = read('README.md')
const chinese = read('README.zh-CN.md')
const LANGUAGES = [
  ['README.md', english],
  ['README.zh-CN.md', chinese],
] as const

function read(page: string): Section[] {
  return sectionsOf(readFileSync(join(ROOT, page), 'utf8'))
}

describe('links', () => {
  test.each(PAGES)('of %s lead to a heading or a file that is there', (page) => {
    const local = read(page)
      .flatMap(linksOf)
      .filter((link) => !/^https?:/.test(link))
    const isThere = (link: string) => {
      const [path = '', anchor] = link.split('#')
      const file = path === '' ? page : join(dirname(page), path)
      if (!existsSync(join(ROOT, file))) return false
      return anchor === undefined || anchorsOf(read(file)).has(decodeURIComponent(anchor))
    }
    expect(local.filter((link) => !isThere(link))).toEqual([])
  })

  test.each(LANGUAGES)('in the contents of %s are its chapters, in their order', (_, sections) => {
    const contents = sections[0]?.lines.at(-2) ?? ''
    const linked = [...contents.matchAll(/\(#([^)]*)\)/g)].map(([, anchor]) => anchor ?? '')
    // All but the license.
    const chapters = sections.filter(({ level }) => level === 2).slice(0, -1)
    expect(linked).toEqual([...anchorsOf(chapters)])
  })
})

describe('both languages have the same', () => {
  test('headings, by level', () => {
    expect(chinese.map(({ level }) => level)).toEqual(english.map(({ level }) => level))
  })

  const pairs = english.map((section, index) => [section.heading, section, chinese[index]] as const)

  test.each(pairs)('code, points and rows under "%s"', (_, section, translated) => {
    expect(shapeOf(translated)).toEqual(shapeOf(section))
  })
})

/** What is the same in any language. */
function shapeOf(section: Section | undefined) {
  const { lines = [], blocks = [] } = section ?? {}
  return {
    blocks: blocks.map(untranslated),
    points: lines.filter((line) => /^(- |\d+\. )/.test(line)).length,
    rows: lines.filter((line) => line.startsWith('| ')).length,
  }
}

/** A block of code without its comments, labels of diagrams, and the right column of the tree of folders. */
function untranslated(block: string): string[] {
  const lines = block.split('\n').map((line) => line.replace(/ *# .*$/, ''))
  if (block.startsWith('```mermaid'))
    return lines.map((line) => line.replace(/"[^"]*"|\|[^|]*\|/g, ''))
  return block.startsWith('```\nmain.ts') ? lines.map((line) => line.split('  ')[0] ?? '') : lines
}

describe.each(LANGUAGES)('tables of %s', (page, sections) => {
  /** The rows of the tables under what is this heading in English, cell by cell. */
  function rowsUnder(heading: string): string[][] {
    const section = sections[english.findIndex((each) => each.heading === heading)]
    if (!section) throw new Error(`Cannot find "${heading}" in ${page}`)
    return rowsOf(section)
  }

  const shown = RUN_FLAGS.filter(({ help }) => help !== '')
  test.each(shown.map((flag) => [flag.name, flag] as const))(
    'name --%s, and its default',
    (_, flag) => {
      const row = rowsUnder('Flags').find(([cell]) =>
        new RegExp(`^\`--${flag.name}[ \`]`).test(cell ?? ''),
      )
      expect(row?.[1]).toInclude(flag.fallback)
    },
  )

  test('name each command', () => {
    const cells = rowsUnder('Commands').map(([cell = '']) => cell)
    const words = cells.flatMap((cell) => [...cell.matchAll(/`([a-z]+)/g)])
    const commands = COMMANDS.map(({ word }) => word)
    expect(words.map(([, word]) => word)).toEqual(expect.arrayContaining(commands))
  })

  test('name each metric, and none that there is not', () => {
    const cells = rowsUnder('Metrics').flatMap(([cell = '']) => cell.split(/, |、/))
    const sources = [...new Bun.Glob('*.ts').scanSync(join(ROOT, 'k8s'))]
    const names = sources.flatMap((file) => [
      ...readFileSync(join(ROOT, 'k8s', file), 'utf8').matchAll(/'((?:cep|process)_[a-z_]+)'/g),
    ])
    const metrics = new Set(names.map(([, name]) => `\`${name}\``))
    expect(new Set(cells.slice(1))).toEqual(metrics)
  })

  test('name each field of the spec', () => {
    const cells = ['spec', 'spec.ports[]'].flatMap(rowsUnder).map(([cell = '']) => cell)
    const named = cells.flatMap((cell) => [...cell.matchAll(/[a-zA-Z]+/g)]).map(([word]) => word)
    expect(named).toEqual(expect.arrayContaining(fieldsOf(specSchema())))
  })

  test('grant what the manifest grants', () => {
    const granted = rowsUnder('Security').map(([, resources = '', verbs = '']) => ({
      resources: [...resources.matchAll(/`([a-z/]+)`/g)].map(([, resource]) => resource),
      verbs: verbs.split(/, |、/),
    }))
    const rules = [...CLUSTER_RULES, ...LEASE_RULES].map(({ resources, names, verbs }) => ({
      // Of the one Lease its name is told, and not in code.
      resources: names ? [] : [...resources],
      verbs: Object.keys(verbs),
    }))
    expect(granted.slice(1)).toEqual(rules)
  })
})

const crdSchema = v.object({
  spec: v.object({
    versions: v.tuple([
      v.object({
        schema: v.object({
          openAPIV3Schema: v.object({ properties: v.object({ spec: v.unknown() }) }),
        }),
      }),
    ]),
  }),
})

/** Of the spec, as the CRD has it. */
function specSchema(): unknown {
  const text = readFileSync(join(ROOT, 'crds/clusterendpoints.yaml'), 'utf8')
  const crd = v.parse(crdSchema, Bun.YAML.parse(text))
  return crd.spec.versions[0].schema.openAPIV3Schema.properties.spec
}

const nodeSchema = v.object({
  properties: v.optional(v.record(v.string(), v.unknown()), {}),
  items: v.optional(v.unknown()),
})

/** The names of all fields in an OpenAPI schema, at any depth. */
function fieldsOf(schema: unknown): string[] {
  const { properties, items } = v.parse(nodeSchema, schema)
  const inside = Object.entries(properties).flatMap(([name, field]) => [name, ...fieldsOf(field)])
  return items === undefined ? inside : [...inside, ...fieldsOf(items)]
}
