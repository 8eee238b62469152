/** The forms of the two headers of a W3C trace context: https://www.w3.org/TR/trace-context/. Every entrance asks them. */
import { JobsError } from '../errors.js';

/** Text of one form and a greatest length. */
class FormedText {
  constructor(
    readonly pattern: RegExp,
    private readonly maxLength: number,
    readonly description: string,
  ) {}

  /** The text, when it has the form. */
  parse(text: string): string | undefined {
    return text.length <= this.maxLength && this.pattern.test(text) ? text : undefined;
  }

  /** Returns the value. @throws JobsError `invalid_options` that names the field and the form */
  require(field: string, value: unknown): string {
    if (typeof value === 'string' && this.parse(value) !== undefined) return value;
    const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : typeof value;
    throw new JobsError('invalid_options', `${field} is ${shown}; it must be ${this.description}.`, {
      details: { field },
    });
  }
}

/** Trace and span, neither of them all zeros, and flags. */
const IDS = '(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}';

/** A later version may add fields at the end; the version ff is forbidden. */
export const traceParent = new FormedText(
  new RegExp(`^(?:00-${IDS}|(?!00|ff)[0-9a-f]{2}-${IDS}(?:-[!-~]*)?)$`),
  512,
  'a W3C traceparent: 00-<32 hexadecimal digits>-<16>-<2>, in lower case and not all zeros',
);

const MEMBER = '[a-z0-9][a-z0-9_*/@-]{0,255}=[ -+\\--<>-~]{0,255}[!-+\\--<>-~]';

export const traceState = new FormedText(
  new RegExp(`^${MEMBER}(?:[ \\t]*,[ \\t]*(?:${MEMBER})?){0,31}$`),
  512,
  'a W3C tracestate: up to 32 pairs such as vendor=value, 512 characters in all',
);
