// The floor program (floor.child.ts), compiled once for a run.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { CHECK_PATH, checkRequest } from '../../probes/grpc-health.ts'
import { encodeField } from '../../probes/hpack.ts'
import { callBytes } from '../../probes/http2-call.ts'

export type FloorKind = 'tcp' | 'http' | 'udp' | 'grpc'

/** By the system calls that the operator makes, by Bun's sockets, or by node:net. */
export type FloorMode = FloorKind | `Bun ${FloorKind}` | 'node:net tcp'

export type FloorOptions = {
  readonly mode: FloorMode
  readonly port: number
  readonly hosts: readonly string[]
  /** Attempts a second; 0 is as many as it can. */
  readonly rate: number
  readonly warmSeconds: number
  readonly seconds: number
}

const resultSchema = v.object({ cpuUs: v.number() })

/** Compiles it; removed when disposed of. */
export async function compileFloor(): Promise<Disposable & { readonly path: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const path = join(folder, 'floor')
  const entrypoints = [`${import.meta.dir}/floor.child.ts`]
  await Bun.build({
    entrypoints,
    target: 'bun',
    minify: true,
    bytecode: true,
    compile: { outfile: path },
  })
  return { path, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}

/** Microseconds of CPU of a bare attempt. */
export async function floorOf(path: string, options: FloorOptions): Promise<number> {
  const child = spawnFloor(path, options)
  const text = await child.stdout.text()
  if ((await child.exited) !== 0) throw new Error(`Cannot measure the floor of ${options.mode}`)
  return v.parse(resultSchema, JSON.parse(text)).cpuUs
}

/** Begins bare attempts. */
export function spawnFloor(
  path: string,
  { mode, port, hosts, rate, warmSeconds, seconds }: FloorOptions,
): Bun.Subprocess<Blob, 'pipe', 'inherit'> {
  const fields = [
    encodeField(':method', 'POST'),
    encodeField(':scheme', 'http'),
    encodeField(':path', CHECK_PATH),
    encodeField(':authority', 'bench'),
    encodeField('te', 'trailers'),
    encodeField('content-type', 'application/grpc'),
  ]
  const call = callBytes(fields.join(''), checkRequest(''))
  return Bun.spawn([path, mode, ...[port, rate, warmSeconds, seconds].map(String)], {
    // Fifteen thousand addresses are more than an argument can be.
    stdin: new Blob([hosts.join()]),
    stdout: 'pipe',
    stderr: 'inherit',
    env: { EO_BENCH_GRPC_CALL: Buffer.from(call).toString('hex') },
  })
}
