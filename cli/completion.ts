// `endpoints-operator completion bash|zsh`: made of the tables by which flags are parsed.

import { CHECK_FLAGS } from './check.ts'
import { choicesOf, type Flag, parseFlags, UsageError } from './flags.ts'
import { IMPORT_FLAGS } from './import.ts'
import { MANIFESTS_FLAGS } from './manifests.ts'
import { MIGRATE_FLAGS } from './migrate.ts'
import { print } from './print.ts'
import { asCalled } from './program.ts'
import { RUN_FLAGS } from './run.ts'
import { COMMANDS } from './usage.ts'
import { VERSION_FLAGS } from './version.ts'

const SHELLS = ['bash', 'zsh']

const COMPLETION_FLAGS: readonly Flag[] = [
  { name: 'help', short: 'h', fallback: '', help: 'show this' },
]

/** Flags of each command; '' is the operator itself. */
const FLAGS: Readonly<Record<string, readonly Flag[]>> = {
  '': RUN_FLAGS,
  check: CHECK_FLAGS,
  import: IMPORT_FLAGS,
  migrate: MIGRATE_FLAGS,
  manifests: MANIFESTS_FLAGS,
  completion: COMPLETION_FLAGS,
  version: VERSION_FLAGS,
}

const HELP = `Prints what a shell needs to complete commands and flags.

Usage:
  endpoints-operator completion bash|zsh

Examples:
  source <(endpoints-operator completion bash)    in ~/.bashrc
  source <(endpoints-operator completion zsh)     in ~/.zshrc, after compinit
`

/** Resolves with the exit code. */
export async function completion(args: readonly string[]): Promise<number> {
  const flags = parseFlags(args, COMPLETION_FLAGS, 1)
  if (flags.isOn('help')) {
    await print(asCalled(HELP))
    return 0
  }
  const [shell] = flags.positionals
  if (shell === 'bash') await print(bash())
  else if (shell === 'zsh') await print(zsh())
  else throw new UsageError('completion takes bash or zsh; see completion --help')
  return 0
}

/** Needs nothing of the package bash-completion. */
function bash(): string {
  const cases = Object.entries(FLAGS).map(([command, flags]) => {
    const values = flags
      .filter(({ value, help }) => value !== undefined && help !== '')
      .map((flag) => `      ${spellings(flag).join('|')}) ${bashValue(flag)} ;;`)
    return `    ${command === '' ? "''" : command})
      words='${wordsOf(command, flags).join(' ')}'
      case $previous in
${values.length > 0 ? `${values.join('\n')}\n` : ''}      esac
      ;;`
  })
  return `# Completion for bash: source this file.
_endpoints_operator() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local command='' words='' kind=words
  case \${COMP_WORDS[0]##*/} in
    cepctl) command=import ;;
    *) if ((COMP_CWORD > 1)); then case \${COMP_WORDS[1]} in -*) ;; *) command=\${COMP_WORDS[1]} ;; esac; fi ;;
  esac
  case $command in
${cases.join('\n')}
  esac
  COMPREPLY=()
  local word
  case $kind in
    words) while read -r word; do [[ $word ]] && COMPREPLY+=("$word"); done < <(compgen -W "$words" -- "$current") ;;
    files) compopt -o filenames 2>/dev/null
      while read -r word; do [[ $word ]] && COMPREPLY+=("$word"); done < <(compgen -f -- "$current") ;;
  esac
}
complete -F _endpoints_operator endpoints-operator cepctl kubectl-cep
`
}

/** What is completed behind a flag that takes a value. */
function bashValue(flag: Flag): string {
  const choices = choicesOf(flag)
  if (choices.length > 0) return `words='${choices.join(' ')}'`
  return flag.value?.startsWith('FILE') ? 'kind=files' : 'kind=nothing'
}

/** Everything that may stand behind a command. */
function wordsOf(command: string, flags: readonly Flag[]): string[] {
  const named = flags.filter(({ help }) => help !== '').map(({ name }) => `--${name}`)
  if (command === '') return [...COMMANDS.map(({ word }) => word), ...named]
  return command === 'completion' ? [...SHELLS, ...named] : named
}

function spellings({ name, short }: Flag): string[] {
  return [`--${name}`, ...(short ? [`-${short}`] : [])]
}

function zsh(): string {
  const commands = COMMANDS.map(({ word, about }) => `    '${word}:${zshText(about)}'`)
  const cases = Object.entries(FLAGS).map(([command, flags]) => {
    const specs = flags.filter(({ help }) => help !== '').map((flag) => `        ${zshSpec(flag)}`)
    const own = command === 'completion' ? [`        '1:shell:(${SHELLS.join(' ')})'`] : []
    return `    ${command === '' ? "''" : command})
      _arguments \\
${[...own, ...specs].join(' \\\n')}
      ;;`
  })
  return `#compdef endpoints-operator cepctl kubectl-cep
# Completion for zsh: source this file after compinit.
_endpoints_operator() {
  local command=''
  local -a commands
  commands=(
${commands.join('\n')}
  )
  if [[ \${words[1]:t} == cepctl ]]; then
    command=import
  elif (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    _describe command commands
    return
  elif [[ $words[2] != -* ]]; then
    command=$words[2]
    shift words
    (( CURRENT-- ))
  fi
  case $command in
${cases.join('\n')}
  esac
}
compdef _endpoints_operator endpoints-operator cepctl kubectl-cep
`
}

/** A flag as _arguments takes it. */
function zshSpec(flag: Flag): string {
  const { value, help } = flag
  const choices = choicesOf(flag)
  const isFile = value?.startsWith('FILE')
  const action = choices.length > 0 ? `(${choices.join(' ')})` : isFile ? '_files' : ' '
  const argument = value === undefined ? '' : `:${choices.length > 0 ? 'value' : value}:${action}`
  const all = spellings(flag)
  const described = `'[${zshText(help)}]${argument.replace('|-', '')}'`
  return all.length === 1
    ? `'${all[0]}'${described}`
    : `'(${all.join(' ')})'{${all.join(',')}}${described}`
}

/** Within single quotes and brackets. */
function zshText(text: string): string {
  return text.replace(/'/g, "'\\''").replace(/[\\[\]:]/g, '\\$&')
}
