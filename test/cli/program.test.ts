// The names under which the program is called, and what they change in help.

import { describe, expect, test } from 'bun:test'
import { asCalled, programOf } from '../../cli/program.ts'

describe('programOf()', () => {
  for (const [argv0, expected] of [
    ['endpoints-operator', 'endpoints-operator'],
    ['/usr/local/bin/kubectl-cep', 'kubectl cep'],
    ['kubectl-cep', 'kubectl cep'],
    ['./cepctl', 'cepctl'],
    ['bun', 'endpoints-operator'],
    ['/opt/cepctl/bun', 'endpoints-operator'],
    ['', 'endpoints-operator'],
  ] as const) {
    test(`"${argv0}" is ${expected}`, () => expect(programOf(argv0)).toBe(expected))
  }
})

describe('asCalled()', () => {
  const help =
    'Runs endpoints-operator.\n  endpoints-operator import x\n  endpoints-operator check y'
  for (const [as, expected] of [
    ['endpoints-operator', help],
    ['kubectl cep', 'Runs endpoints-operator.\n  kubectl cep import x\n  kubectl cep check y'],
    ['cepctl', 'Runs endpoints-operator.\n  cepctl x\n  endpoints-operator check y'],
  ] as const) {
    test(`shows command lines as one types them under ${as}`, () =>
      expect(asCalled(help, as)).toBe(expected))
  }
})
