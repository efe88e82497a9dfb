// A resolver that says what the test has it say, when the test has it say it.

import type { Answer } from '../../dns/lookup.ts'
import type { Resolver } from '../../dns/resolver.ts'

export function scriptedResolver() {
  const listeners = new Map<string, Set<(answer: Answer) => void>>()
  const urgent = new Set<string>()
  const known = new Map<string, Answer>()
  const resolver: Resolver = {
    watch: (name, onAnswer) => {
      const all = listeners.get(name) ?? new Set()
      listeners.set(name, all.add(onAnswer))
      return {
        known: known.get(name),
        urge: (isUrgent) => void (isUrgent ? urgent.add(name) : urgent.delete(name)),
        stop: () => {
          all.delete(onAnswer)
          if (all.size === 0) listeners.delete(name)
        },
      }
    },
    stats: () => ({ names: listeners.size, failing: 0, inFlight: 0, told: 0, failed: 0 }),
    close: () => listeners.clear(),
  }
  return {
    resolver,
    /** Answers everybody who watches `name`. */
    tell: (name: string, answer: Answer) => {
      for (const onAnswer of listeners.get(name) ?? []) onAnswer(answer)
    },
    /** Answers as soon as somebody watches. */
    know: (name: string, answer: Answer) => void known.set(name, answer),
    watched: () => [...listeners.keys()].sort(),
    urgent: () => [...urgent].sort(),
  }
}
