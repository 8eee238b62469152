/** The common options of all commands, added once all commands exist. */
import { Help, type Command } from 'commander';

function firstSteps(invocation: string): string {
  const lines = [
    ['npm start', 'start the platform on this machine, in another terminal'],
    [`${invocation} status`, 'show what runs, and what the queues hold'],
    [`${invocation} tasks show sync_campaign_data`, 'show what a task takes and returns'],
  ] as const;
  return `
First steps:
${lines.map(([line, note]) => `  ${line.padEnd(42)} ${note}`).join('\n')}
  ${invocation} call sync_campaign_data '{"tenant_id":1,"platform":"meta"}' --wait

Every command takes --help. With --json, a command prints one JSON document on standard output and, when it fails,
{"error": {"code", "message"}} on standard error.

Exit codes:
  0    success
  1    failure: a wrong command line, a server that does not answer, a task that failed
  130  interrupted by Ctrl-C`;
}

/** Whether the command line asks for JSON; known even when it cannot be parsed. */
export function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json');
}

/** Gives every command the same ways to help and to fail. Usage errors are thrown like all others: one place reports them. */
export function frame(program: Command, argv: readonly string[], invocation: string): Command {
  program
    .exitOverride()
    .configureHelp({ showGlobalOptions: false, sortSubcommands: false })
    .configureOutput({ outputError: () => undefined, writeErr: () => undefined })
    .helpCommand(false)
    .addHelpText('after', firstSteps(invocation));
  // A family of commands that is called without one of them prints its help, as an error.
  if (!wantsJson(argv)) program.configureOutput({ writeErr: (text) => process.stderr.write(text) });
  inherit(program);
  return program;
}

/** The commands below one, without the hidden ones. */
export function visible(command: Command): Command[] {
  return new Help().visibleCommands(command);
}

/** The program that a command belongs to. */
export function root(command: Command): Command {
  return command.parent === null ? command : root(command.parent);
}

function inherit(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    command.helpCommand(false);
    inherit(command);
  }
}
