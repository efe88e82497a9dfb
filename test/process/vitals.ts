// What the kernel knows of a process.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export type Memory = { readonly rssMb: number; readonly anonymousMb: number }

/** Open descriptors. */
export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** Open descriptors other than connections to `port` of IPv4: those that a client keeps for later. */
export function descriptorsBut(pid: number, port: number): number {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const inodes = readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([, , peer, , , , , , , inode]) =>
      peer?.endsWith(remote) ? [`socket:[${inode}]`] : [],
    )
  const kept = new Set(inodes)
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => !kept.has(linkOf(pid, fd))).length
}

function linkOf(pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`)
  } catch {
    return '' // closed meanwhile
  }
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mb = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024
  return { rssMb: mb('VmRSS'), anonymousMb: mb('RssAnon') }
}

/** Seconds of CPU so far, user and system. */
export function cpuSecondsOf(pid: number): number {
  const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')
  const [user, system] = fields.split(' ').slice(11, 13)
  return (Number(user) + Number(system)) / TICKS_A_SECOND
}

/** Page faults that had to wait for the disk. */
export function majorFaultsOf(pid: number): number {
  const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')
  return Number(fields.split(' ')[9])
}

/** USER_HZ: 100 on every Linux that Bun runs on. */
const TICKS_A_SECOND = 100
