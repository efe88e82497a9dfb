// The hosts that are probed, in a process of their own.

export type HostKind = 'tcp' | 'rhythm' | 'http' | 'udp' | 'grpc'

export type HostsCommand = { readonly id: number } & (
  | { readonly do: 'start'; readonly kind: HostKind; readonly host: string; readonly port: number }
  | { readonly do: 'kill' | 'restart' | 'report'; readonly of: number }
)

export type HostsReport = {
  readonly id: number
  /** When it was done: milliseconds of a clock that all processes share. */
  readonly atMs: number
  readonly port?: number
  readonly hits?: number
  /** By how much the gaps between attempts on one address differed from whole seconds, since the last report. */
  readonly deviationsMs?: readonly number[]
}

/** One listener. What listens on 0.0.0.0 stands for as many hosts as there are addresses. */
export type Listener = {
  readonly port: number
  /** Resolves when no connection is taken any more, with the moment. */
  readonly kill: () => Promise<number>
  readonly restart: () => Promise<number>
  /** Attempts that have arrived. */
  readonly hits: () => Promise<number>
  readonly deviationsMs: () => Promise<readonly number[]>
}

export type Hosts = AsyncDisposable & {
  /** `rhythm` is tcp that also notes when it was asked. */
  readonly start: (kind: HostKind, host?: string, port?: number) => Promise<Listener>
}

export function startHosts(): Hosts {
  const waiting = new Map<number, (report: HostsReport) => void>()
  let ids = 0
  const child = Bun.spawn([process.execPath, `${import.meta.dir}/hosts.child.ts`], {
    stdio: ['ignore', 'inherit', 'inherit'],
    ipc: (report: HostsReport) => {
      waiting.get(report.id)?.(report)
      waiting.delete(report.id)
    },
  })
  const ask = (command: (id: number) => HostsCommand): Promise<HostsReport> =>
    new Promise((resolve) => {
      const id = ids++
      waiting.set(id, resolve)
      child.send(command(id))
    })
  return {
    start: async (kind, host = '0.0.0.0', port = 0) => {
      const { id: of, port: real = 0 } = await ask((id) => ({ id, do: 'start', kind, host, port }))
      const tell = (what: 'kill' | 'restart' | 'report') => ask((id) => ({ id, do: what, of }))
      return {
        port: real,
        kill: async () => (await tell('kill')).atMs,
        restart: async () => (await tell('restart')).atMs,
        hits: async () => (await tell('report')).hits ?? 0,
        deviationsMs: async () => (await tell('report')).deviationsMs ?? [],
      }
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}
