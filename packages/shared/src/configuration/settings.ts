/**
 * Settings: how each is read from its environment variable. Loads no schema library: commands that only look at the broker read settings,
 * and zod takes longer to load than everything else that they need.
 */
import { MAX_TIMER_MS, storage } from '@stratum/jobs/bounds';

export interface Setting<Value> {
  /**
   * @param text `undefined` when the variable is not set
   * @throws SettingProblem
   */
  read(text: string | undefined): Value;
}

/** Why a value does not do, without the value: it may be a secret. */
export class SettingProblem extends Error {}

/** A setting that must be set. */
export function required<Value>(parse: (text: string) => Value): Setting<Value> {
  return {
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
): Setting<Value | Default> {
  return { read: (text) => (text === undefined ? byDefault : parse(text)) };
}

/** @param byDefault none: it must be set */
export function url(protocols: RegExp, example: string, byDefault?: string): Setting<string> {
  const parse = urlParser(protocols, example);
  return byDefault === undefined ? required(parse) : withDefault(parse, byDefault);
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
  return withDefault((text) => parse(text) * 1000, byDefault * 1000);
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
