import { expect, test } from 'bun:test'
import { sourcesWithSource } from '../../scripts/debian/sources.ts'

const rows = [
  {
    name: 'asks deb822 archives for source packages too',
    path: '/etc/apt/sources.list.d/debian.sources',
    text: 'Types: deb\n# a comment\nURIs: http://example.org/debian\nSuites: bookworm\n\nTypes: deb\nSuites: other\n',
    expected:
      'Types: deb deb-src\n# a comment\nURIs: http://example.org/debian\nSuites: bookworm\n\nTypes: deb deb-src\nSuites: other\n',
  },
  {
    name: 'leaves deb822 archives alone that have their source packages on',
    path: 'debian.sources',
    text: 'Types: deb deb-src\nSuites: bookworm\n',
    expected: 'Types: deb deb-src\nSuites: bookworm\n',
  },
  {
    name: 'adds a source line to each binary line, options kept',
    path: '/etc/apt/sources.list',
    text: 'deb [arch=amd64 signed-by=/k.gpg] http://example.org/debian bookworm main\n',
    expected:
      'deb [arch=amd64 signed-by=/k.gpg] http://example.org/debian bookworm main\ndeb-src [arch=amd64 signed-by=/k.gpg] http://example.org/debian bookworm main\n',
  },
  {
    name: 'names no archive twice that has a source line already, and leaves comments out',
    path: 'a.list',
    text: '# deb http://example.org/off bookworm main\ndeb http://example.org/debian bookworm main\ndeb-src http://example.org/debian bookworm main\n',
    expected:
      'deb http://example.org/debian bookworm main\ndeb-src http://example.org/debian bookworm main\n',
  },
  { name: 'makes nothing of nothing', path: 'a.list', text: '\n', expected: '' },
]

test.each(rows)('sourcesWithSource() $name', ({ path, text, expected }) => {
  expect(sourcesWithSource(path, text)).toBe(expected)
})
