/** What all commands have in common, given to them once they are all there. */
import { Help, type Command } from 'commander';

/** Every command of the help, in this order. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'Start here:': ['up', 'status'],
  'Tasks:': ['tasks', 'call', 'result', 'revoke', 'workflow', 'events', 'dead', 'schedules'],
  'Queues and workers:': ['queues', 'purge', 'inspect', 'control', 'worker', 'scheduler'],
  'Platform:': ['api', 'keys', 'webhooks', 'sources', 'subscriptions', 'profiles', 'migrate', 'seed'],
  'This command:': ['contracts', 'completion', 'help'],
  'Tenants and their data:': ['tenants', 'accounts', 'rules', 'segments', 'funnels'],
};

const FIRST_STEPS = `
First steps:
  npm start                              run everything on this machine, in another terminal
  stratum status                         what runs, and what the queues hold
  stratum tasks show sync_campaign_data  what a task takes and returns
  stratum call sync_campaign_data '{"tenant_id":1,"platform":"meta"}' --wait

Every command takes --help. Those that print something take --json: one JSON document on standard output and, when
something fails, {"error": {"code", "message"}} on standard error. The exit code is 0 when it worked, 1 when it did not.`;

/** Whether the command line asks for JSON; known even when it cannot be parsed. */
export function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json');
}

/**
 * Gives every command the same ways to help and to fail, however it was added. Errors of usage are thrown like all others,
 * so that one place tells them.
 */
export function frame(program: Command, argv: readonly string[]): Command {
  program
    .exitOverride()
    .configureHelp({ showGlobalOptions: false, sortSubcommands: false })
    .configureOutput({ outputError: () => undefined, writeErr: () => undefined })
    .helpCommand(false)
    .addCommand(helpCommand(program))
    .addHelpText('after', FIRST_STEPS);
  // A group of commands that is called without one of them shows what there is, as an error.
  if (!wantsJson(argv)) program.configureOutput({ writeErr: (text) => process.stderr.write(text) });
  const order = Object.values(GROUPS).flat();
  program.configureHelp({
    ...program.configureHelp(),
    visibleCommands: (command) =>
      command === program
        ? visible(command).toSorted((a, b) => order.indexOf(a.name()) - order.indexOf(b.name()))
        : visible(command),
  });
  for (const command of visible(program)) command.helpGroup(groupOf(command.name()));
  inherit(program);
  return program;
}

/** The commands below one, without those that are for programs. */
export function visible(command: Command): Command[] {
  return new Help().visibleCommands(command);
}

function groupOf(name: string): string {
  const [group] = Object.entries(GROUPS).find(([, names]) => names.includes(name)) ?? [];
  if (group === undefined) throw new Error(`The command "${name}" is in no group of the help.`);
  return group;
}

function inherit(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    if (command.commands.length > 0) command.helpCommand(false);
    inherit(command);
  }
}

/** As many words deep as commands are. */
function helpCommand(program: Command): Command {
  return program
    .createCommand('help')
    .description('Show what a command does and takes.')
    .argument('[command...]', 'its name, for example: schedules add')
    .addHelpText('after', '\nExample:\n  stratum help schedules add')
    .action((words: string[]) => {
      let command = program;
      for (const word of words) {
        const found = command.commands.find((each) => each.name() === word || each.aliases().includes(word));
        if (found === undefined) {
          const known = visible(command).map((each) => each.name());
          throw new Error(`There is no command "${words.join(' ')}". There are: ${known.join(', ')}.`);
        }
        command = found;
      }
      command.outputHelp();
    });
}
