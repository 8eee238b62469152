/** Settings: their types, and reading them from environment variables. */
import { z } from 'zod';

export const url = (protocols: RegExp, example: string): z.ZodString =>
  z.string().refine((value) => protocols.test(value), `must be a URL such as ${example}`);

/** A whole number of seconds in the environment, milliseconds in the program. */
export const seconds = (byDefault: number): z.ZodType<number> =>
  z.coerce
    .number()
    .int()
    .positive()
    .default(byDefault)
    .transform((value) => value * 1000);

export const count = (byDefault: number, max = 1_000_000, min = 1): z.ZodType<number> =>
  z.coerce.number().int().min(min).max(max).default(byDefault);

/** The size of a stream: a message and more must fit. */
export const bytes = (byDefault: number): z.ZodType<number> =>
  count(byDefault, Number.MAX_SAFE_INTEGER, 1_048_576);

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
export function readSettings(
  settings: Readonly<Record<string, z.ZodType>>,
  keys: readonly string[],
  environment: NodeJS.ProcessEnv,
): Readonly<Record<string, unknown>> {
  const wanted = z.object(Object.fromEntries(Object.entries(settings).filter(([key]) => keys.includes(key))));
  // An empty variable is what `X= command` and many container files leave behind: it counts as not set.
  const present = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = wanted.safeParse(present);
  if (!parsed.success) throw new ConfigurationError(parsed.error.issues.map(describe));
  return Object.freeze(parsed.data);
}

function describe(issue: z.core.$ZodIssue): string {
  const name = issue.path.join('.');
  const missing = issue.code === 'invalid_type' && issue.input === undefined;
  return missing
    ? `${name} is not set; set it (see docs/reference/configuration.md)`
    : `${name} ${lowerFirst(issue.message)}`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
