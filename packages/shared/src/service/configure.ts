/** The first thing that a service does: its configuration is read and checked before anything is opened. */
import { pino } from 'pino';
import {
  loadConfiguration,
  printConfiguration,
  type Configuration,
  type ConfigurationKey,
} from '../configuration/configuration.js';
import { ConfigurationError } from '../configuration/settings.js';

/** Exit code of a configuration that is not valid: EX_CONFIG of sysexits, so that a supervisor can tell it from a crash. */
const INVALID_CONFIGURATION = 78;
const CHECK = '--check-config';

export interface ConfigureOptions<Key extends ConfigurationKey> {
  name: string;
  settings: readonly Key[];
  /** What no setting says alone. Opens nothing. @throws ConfigurationError */
  check?: (configuration: Pick<Configuration, Key>) => void | Promise<void>;
  /** Default: those of the process. */
  words?: readonly string[];
  environment?: NodeJS.ProcessEnv;
}

/**
 * With `--check-config` it prints the settings, without secrets, and ends the process. So does a configuration that is not valid: with one
 * line that lists what is wrong, and exit code 78.
 */
export async function configure<Key extends ConfigurationKey>({
  name,
  settings,
  check,
  words = process.argv.slice(2),
  environment = process.env,
}: ConfigureOptions<Key>): Promise<Pick<Configuration, Key>> {
  const unknown = words.filter((word) => word !== CHECK);
  const checks = words.includes(CHECK);
  try {
    if (unknown.length > 0)
      throw new ConfigurationError([
        `${unknown.join(' ')} is not an option; ${CHECK} is the only one, everything else is set by environment variables`,
      ]);
    const configuration = loadConfiguration(settings, environment);
    await check?.(configuration);
    if (!checks) return configuration;
  } catch (error) {
    endWithProblems(error, name, checks);
  }
  process.stdout.write(printConfiguration(settings, environment));
  process.exit(0);
}

/** A line of the log, or for a person who checks it a list. The stack of such an error says nothing that its text does not. */
export function endWithProblems(error: unknown, name: string, isForPerson = false): never {
  if (!(error instanceof ConfigurationError)) throw error;
  if (isForPerson) process.stderr.write(`${error.message}\n`);
  // At its own level: that of the configuration may be what is wrong.
  else pino({ name }).fatal({ code: error.code, problems: error.problems }, error.message);
  process.exit(INVALID_CONFIGURATION);
}
