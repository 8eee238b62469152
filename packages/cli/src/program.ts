/** The `stratum` command with all commands below it. */
import { Command } from 'commander';
import { loadCommands } from './commands/catalogue.js';
import { build, type Loading } from './frame/build.js';
import { GROUPS, locate } from './frame/declaration.js';
import { frame } from './frame/frame.js';
import { DOCUMENTED_INVOCATION, invocation } from './frame/invocation.js';
import { VERSION } from './version.js';

/**
 * @param argv the words after the program's name
 * @param options `loadAll` loads the choices and notes of every command, not only of the one that `argv` names
 */
export async function stratumProgram(
  argv: readonly string[],
  { loadAll = argv[0] === 'reference' }: { loadAll?: boolean } = {},
): Promise<Command> {
  const program = new Command('stratum')
    .description('Background work for marketing teams, on NATS JetStream and PostgreSQL.')
    .version(VERSION)
    .option('--verbose', 'show stack traces')
    .option(
      '--config <file>',
      "an application's configuration file (default: stratum.config.* here or above)",
    );
  const commands = await loadCommands(argv);
  const wanted = locate(commands, wordsOf(argv));
  const loading: Loading = {
    wants: (declaration) => loadAll || declaration === wanted,
    words: wordsOf(argv),
    invocation: argv[0] === 'reference' ? DOCUMENTED_INVOCATION : invocation(),
    helps: argv[0] === 'reference' || argv.some((word) => ['help', '--help', '-h'].includes(word)),
  };
  const inOrder = commands.toSorted((a, b) => GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group));
  for (const declaration of inOrder) {
    const command = await build(declaration, declaration.name, loading);
    program.addCommand(command.helpGroup(`${declaration.group}:`), { hidden: declaration.hidden === true });
  }
  return frame(program, argv, loading.invocation);
}

/** The words that name a command: a shell passes those of the line being typed, and `help` those of another command. */
function wordsOf(argv: readonly string[]): readonly string[] {
  if (argv[0] === 'help') return argv.slice(1);
  if (argv[0] === 'complete') return argv.slice(argv.indexOf('--') + 1);
  return argv;
}
