// Compiles the operator to dist/endpoints-operator and says how big it is, and how much of it is ours.
// `bun run build [--target bun-linux-arm64] [--outfile FILE]`

import { mkdirSync, statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { gzipSync } from 'bun'
import { bundle, compile } from './compile.ts'
import { size } from './size.ts'

/** Bytes. What is ours in the binary stays small, whatever a dependency's next version brings. */
const BUNDLE_BYTES_MAX = 1_000_000

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    outfile: { type: 'string', default: 'dist/endpoints-operator' },
  },
})

mkdirSync('dist', { recursive: true })
const target = values.target ? { target: targetOf(values.target) } : {}
await compile({ outfile: values.outfile, ...target })

/** The name of a platform as Bun knows it; Bun itself refuses one that it does not. */
function targetOf(name: string): Bun.Build.CompileTarget {
  if (isCompileTarget(name)) return name
  throw new Error(`Cannot build for "${name}": use a target like bun-linux-arm64`)
}

function isCompileTarget(name: string): name is Bun.Build.CompileTarget {
  return name.startsWith('bun-')
}

const source = await bundle()
console.log(`${values.outfile}: ${size(statSync(values.outfile).size)}, Bun's runtime included`)
console.log(
  `bundle (the part that is ours): ${size(source.byteLength)}, ${size(gzipSync(source).byteLength)} gzipped`,
)
if (source.byteLength > BUNDLE_BYTES_MAX) {
  console.error(`build: the bundle is larger than ${size(BUNDLE_BYTES_MAX)}`)
  process.exit(1)
}
