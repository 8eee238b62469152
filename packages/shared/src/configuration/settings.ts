/**
 * Settings: how each is read from its environment variable. Loads no schema library: commands that only look at the broker read settings,
 * and zod takes longer to load than everything else that they need.
 */
import { accessSync, constants } from 'node:fs';
import { MAX_TIMER_MS, storage } from '@stratum/jobs/bounds';

export interface Setting<Value> {
  /**
   * @param text `undefined` when the variable is not set
   * @throws SettingProblem
   */
  read(text: string | undefined): Value;
  /** The value as its variable would give it, with `***` for what is secret. */
  print(value: Value): string;
}

/** How a value is shown, where it is not secret. */
type Print<Value> = (value: Value) => string;

/** Why a value does not do, without the value: it may be a secret. */
export class SettingProblem extends Error {}

/** A setting that must be set. */
export function required<Value>(
  parse: (text: string) => Value,
  print: Print<Value> = plainly,
): Setting<Value> {
  return {
    print,
    read: (text) => {
      if (text === undefined)
        throw new SettingProblem('is not set; set it (see docs/reference/configuration.md)');
      return parse(text);
    },
  };
}

/** A setting with a default, which may be `undefined`. */
export function withDefault<Value, Default extends Value | undefined>(
  parse: (text: string) => Value,
  byDefault: Default,
  print: Print<Value | Default> = plainly,
): Setting<Value | Default> {
  return { print, read: (text) => (text === undefined ? byDefault : parse(text)) };
}

function plainly(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return Array.isArray(value) ? value.join(',') : String(value);
}

export const HIDDEN = '***';

/** A text that is secret as a whole. */
export function secret(): Setting<string | undefined> {
  return withDefault<string, undefined>(
    (value) => value,
    undefined,
    () => HIDDEN,
  );
}

/**
 * Addresses without what logs in: a password, a lone token of NATS, a password in the query. A password with an unescaped "@" or "," is
 * hidden as well.
 */
export function withoutPasswords(addresses: string): string {
  return addresses
    .split(/,(?=\s*\w+:\/\/)/)
    .map((address) =>
      address
        .replace(/^(\s*(?:nats|tls|wss?):\/\/)[^:]*@(?=[^@]*$)/, `$1${HIDDEN}@`)
        .replace(/^(\s*\w+:\/\/[^:@/]*:).*@(?=[^@]*$)/, `$1${HIDDEN}@`)
        .replace(/([?&]\w*password=)[^&]*/gi, `$1${HIDDEN}`),
    )
    .join(',');
}

/** The path of a file that has to be there. */
export function readableFile(): Setting<string | undefined> {
  return withDefault((path) => {
    try {
      accessSync(path, constants.R_OK);
    } catch {
      throw new SettingProblem('names a file that cannot be read');
    }
    return path;
  }, undefined);
}

/** Ports from the first to the last. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** A port, or a range such as `9100-9199`. */
export function ports(): Setting<PortRange | undefined> {
  const port = number(1, 65_535);
  const parse = (text: string): PortRange => {
    const [first, last = first, ...others] = text.split('-').map((part) => port(part));
    if (first !== undefined && last !== undefined && first <= last && others.length === 0)
      return Object.freeze({ first, last });
    throw new SettingProblem('must be a port, or a range such as 9100-9199');
  };
  return withDefault<PortRange, undefined>(parse, undefined, (range) =>
    range === undefined || range.first === range.last
      ? plainly(range?.first)
      : `${range.first}-${range.last}`,
  );
}

/** @param byDefault none: it must be set */
export function url(protocols: RegExp, example: string, byDefault?: string): Setting<string> {
  const parse = urlParser(protocols, example);
  return byDefault === undefined
    ? required(parse, withoutPasswords)
    : withDefault(parse, byDefault, withoutPasswords);
}

export function urlParser(protocols: RegExp, example: string): (text: string) => string {
  return (text) => {
    if (!protocols.test(text)) throw new SettingProblem(`must be a URL such as ${example}`);
    return text;
  };
}

/** Numbers as people write them in an environment. */
export function number(min: number, max: number, { whole = true } = {}): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= min && value <= max && (!whole || Number.isSafeInteger(value)))
      return value;
    throw new SettingProblem(`must be a ${whole ? 'whole ' : ''}number from ${min} to ${max}`);
  };
}

export const count = (byDefault: number, max = 1_000_000, min = 1): Setting<number> =>
  withDefault(number(min, max), byDefault);

/** A whole number of seconds in the environment, milliseconds in the program. */
export function seconds(byDefault: number): Setting<number> {
  const parse = number(1, MOST_SECONDS);
  return withDefault(
    (text) => parse(text) * 1000,
    byDefault * 1000,
    (ms) => String(ms / 1000),
  );
}

/** Timers of a process measure some settings, and fire at once when they are set for longer. */
const MOST_SECONDS = Math.floor(MAX_TIMER_MS / 1000);

/** The size of a stream: a message and more must fit. */
export const bytes = (byDefault: number): Setting<number> => count(byDefault, storage.max, 1_048_576);

export function text(byDefault?: undefined): Setting<string | undefined>;
export function text(byDefault: string): Setting<string>;
export function text(byDefault?: string): Setting<string | undefined> {
  return withDefault((value) => value, byDefault);
}

type ValueOf<Each> = Each extends Setting<infer Value> ? Value : never;
type OptionalKeys<Settings> = {
  [Key in keyof Settings]: undefined extends ValueOf<Settings[Key]> ? Key : never;
}[keyof Settings];

/** The values of settings; one that may be unset is an optional property. */
export type Values<Settings> = {
  readonly [Key in Exclude<keyof Settings, OptionalKeys<Settings>>]: ValueOf<Settings[Key]>;
} & { readonly [Key in OptionalKeys<Settings>]?: ValueOf<Settings[Key]> };

/** One or more environment variables are missing or wrong; the message lists all of them, never their values. */
export class ConfigurationError extends Error {
  readonly code = 'invalid_configuration';

  constructor(
    readonly problems: readonly string[],
    options?: ErrorOptions,
  ) {
    super(
      `The configuration is not valid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
      options,
    );
    this.name = 'ConfigurationError';
  }
}

/**
 * Reads the settings of these keys; others may be missing. Frozen.
 * @throws ConfigurationError with every problem
 */
export function readSettings<
  Settings extends Readonly<Record<string, Setting<unknown>>>,
  Key extends keyof Settings,
>(
  settings: Settings,
  keys: readonly Key[],
  environment: NodeJS.ProcessEnv,
): Pick<Values<Settings>, Key & keyof Values<Settings>> {
  const wanted = new Set<string | number | symbol>(keys);
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    if (!wanted.has(name)) continue;
    try {
      // An empty variable is what `X= command` and many container files leave behind: it counts as not set.
      const value = setting.read(environment[name] === '' ? undefined : environment[name]);
      if (value !== undefined) values[name] = value;
    } catch (error) {
      if (!(error instanceof SettingProblem)) throw error;
      problems.push(`${name} ${error.message}`);
    }
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an object made of computed keys loses their names
  return Object.freeze(values) as Pick<Values<Settings>, Key & keyof Values<Settings>>;
}

/**
 * The settings of these keys as they are in effect, one line each, in the form of an environment file: what is secret is hidden, and a
 * comment marks what is not set.
 * @throws ConfigurationError with every problem
 */
export function printSettings<Settings extends Readonly<Record<string, Setting<unknown>>>>(
  settings: Settings,
  keys: readonly (keyof Settings & string)[],
  environment: NodeJS.ProcessEnv,
): string {
  const values: Readonly<Record<string, unknown>> = readSettings(settings, keys, environment);
  const wanted = new Set<string>(keys);
  const lines = Object.entries(settings)
    .filter(([name]) => wanted.has(name))
    .map(([name, setting]) => {
      const value = values[name];
      if (value === undefined) return `# ${name} is not set`;
      return `${name}=${setting.print(value)}${environment[name] ? '' : ' # by default'}`;
    });
  return `${lines.join('\n')}\n`;
}
