// apt's two forms of naming archives, with source packages switched on. Pure.

/**
 * The text of a sources file (`.sources` is deb822, anything else has one archive a line) that names
 * the same archives with their source packages.
 * Source: sources.list(5).
 */
export function sourcesWithSource(path: string, text: string): string {
  if (path.endsWith('.sources')) return text.replaceAll(/^Types:.*$/gim, 'Types: deb deb-src')
  const binary = text.split('\n').filter((line) => /^\s*deb\s/.test(line))
  const source = binary.map((line) => line.replace('deb', 'deb-src'))
  return [...binary, ...source].map((line) => `${line}\n`).join('')
}
