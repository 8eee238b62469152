/** The logger of a service: lines of JSON on standard output, without secrets. */
import { pino, type Logger } from 'pino';
import { secretsIn } from '../configuration/configuration.js';
import { HIDDEN } from '../configuration/settings.js';

/** A shorter one may be a word of every second line, such as `postgres`. */
const LEAST_LENGTH = 8;

/** Fields whose text is hidden, at any depth. */
const FIELDS =
  '(?:access|refresh|developer|id|api)?_?token|client_?secret|secret|password|passphrase|private_?key|api_?key|authorization|(?:set-)?cookie';

/** What a secret looks like wherever it stands, with what is shown of it. */
const FORMS: readonly (readonly [RegExp, string])[] = [
  [new RegExp(String.raw`("(?:${FIELDS})":")(?:[^"\\]|\\.)*`, 'gi'), `$1${HIDDEN}`],
  // JSON within a text.
  [new RegExp(String.raw`(\\+"(?:${FIELDS})\\+"\s*:\s*\\+")[^"\\]+`, 'gi'), `$1${HIDDEN}`],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:@/"\\]*:)[^\s@/"\\]+(?=@)/gi, `$1${HIDDEN}`],
  [/([?&]\w*(?:token|secret|password|signature|api_key)=)[^&\s"\\]+/gi, `$1${HIDDEN}`],
  [/\b(Bearer|Basic)\s+[\w.~+/-]{8,}=*/gi, `$1 ${HIDDEN}`],
  [/\b(sk_[a-z0-9]{16}_)[\w-]{43}/g, `$1${HIDDEN}`],
  [/\b(whsec_)[\w+/-]{8,}=*/g, `$1${HIDDEN}`],
  [/\bS[UAONCX][A-Z2-7]{56}\b/g, HIDDEN],
  [/\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*/g, HIDDEN],
];

/**
 * Hides secrets in a line of JSON, which stays one: those of the configuration wherever they stand, and what looks like one. The whole
 * line is read, because errors of libraries carry settings, addresses and headers in their message and stack.
 */
export function lineWithoutSecrets(secrets: readonly string[]): (line: string) => string {
  const texts = secrets
    .flatMap((secret) => [secret, decoded(secret), encodeURIComponent(secret)])
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
    .filter((secret) => secret.length >= LEAST_LENGTH);
  // The longest first: one may be part of another.
  const known = [...new Set(texts)].toSorted((a, b) => b.length - a.length);
  return (line) => {
    let shown = line;
    for (const text of known) shown = shown.replaceAll(text, HIDDEN);
    for (const [form, replacement] of FORMS) shown = shown.replace(form, replacement);
    return shown;
  };
}

/** @param environment the secrets of these settings are hidden */
export function createLogger(
  name: string,
  level: string,
  environment: NodeJS.ProcessEnv = process.env,
): Logger {
  return pino({ name, level, hooks: { streamWrite: lineWithoutSecrets(secretsIn(environment)) } });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
