import { describe, expect, test } from 'bun:test'
import { addressesOf, type DemoHost, furtherResources, mainResource, PORTS } from './plan.ts'

function hostsOn(addresses: readonly string[]): DemoHost[] {
  return PORTS.flatMap((port) =>
    addressesOf(port, addresses, 0).map((address) => ({ port, address })),
  )
}

describe('mainResource()', () => {
  const db = (addresses: readonly string[]) =>
    mainResource(hostsOn(addresses))
      .spec.ports.filter(({ name }) => name === 'db')
      .map(({ targetPort, hosts }) => ({ targetPort, hosts }))

  test('has one entry for a port whose hosts have addresses of their own', () => {
    const hosts = ['10.0.0.1', '10.0.0.2', '10.0.0.3']
    expect(db(hosts)).toEqual([{ targetPort: 15_432, hosts }])
  })

  test('has entries with the same name where hosts share an address', () => {
    expect(db(['10.0.0.1'])).toEqual([
      { targetPort: 15_432, hosts: ['10.0.0.1'] },
      { targetPort: 15_433, hosts: ['10.0.0.1'] },
      { targetPort: 15_434, hosts: ['10.0.0.1'] },
    ])
    expect(db(['10.0.0.1', '10.0.0.2'])).toEqual([
      { targetPort: 15_432, hosts: ['10.0.0.1', '10.0.0.2'] },
      { targetPort: 15_433, hosts: ['10.0.0.1'] },
    ])
  })
})

describe('furtherResources()', () => {
  test('names no host that the story kills', () => {
    const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3']
    const named = furtherResources(hostsOn(addresses), 19).flatMap(({ spec }) =>
      spec.ports.flatMap(({ hosts }) => hosts),
    )
    expect(new Set(named)).toEqual(new Set(['10.0.0.3']))
    expect(PORTS.every(({ victim }) => victim < 2)).toBe(true)
  })

  test('has one host that is down for good, in the last one', () => {
    const entries = furtherResources(hostsOn(['10.0.0.1']), 19).map(({ spec }) => spec.ports.length)
    expect(entries).toEqual([...Array.from({ length: 18 }, () => 1), 2])
  })
})
