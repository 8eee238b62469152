/**
 * The scripts that make a shell ask this program for the next words. They pass the words on unchanged: nothing on the line is
 * evaluated, and nothing else has to be installed.
 */

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** @param program the words that run this program, for example node and a path */
export function completionScript(shell: Shell, program: readonly string[]): string {
  const run = [...program, 'complete', shell, '--'].map(quote).join(' ');
  return SCRIPTS[shell](run);
}

const SCRIPTS: Readonly<Record<Shell, (run: string) => string>> = {
  bash: (run) => `# stratum: completion for bash
_stratum() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <(${run} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  # A field or an option that still needs its value: no space behind it.
  if [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -F _stratum stratum
`,
  zsh: (run) => `#compdef stratum
# stratum: completion for zsh
_stratum() {
  local line value
  local -a described open
  while IFS= read -r line; do
    value=\${line%%$'\\t'*}
    if [[ $value == *= ]]; then open+=("$value"); else described+=("\${value//:/\\\\:}:\${line#*$'\\t'}"); fi
  done < <(${run} "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( \${#described} )) && _describe stratum described
  (( \${#open} )) && compadd -S '' -- $open
}
if [[ $funcstack[1] == _stratum ]]; then _stratum; else compdef _stratum stratum; fi
`,
  fish: (run) => `# stratum: completion for fish
function __stratum_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  ${run} $words[2..-1] "$current" 2>/dev/null
end
complete -c stratum -f -a '(__stratum_complete)'
`,
};

/** For all three shells: in single quotes, with those inside closed, escaped and opened again. */
function quote(word: string): string {
  return /^[A-Za-z0-9_./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
