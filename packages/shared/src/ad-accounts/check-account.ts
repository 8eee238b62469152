/** What a person gives for an ad account, checked here and by its platform before anything is stored. */
import {
  adPlatform,
  checkAccess,
  PlatformError,
  type Access,
  type PlatformCredentials,
  type PlatformEndpoints,
  type PlatformErrorKind,
  type PlatformName,
} from '@stratum/connectors/ad-platforms';

/** A field of the account that is not valid. The message never has its value. */
export class AccountInputError extends Error {
  readonly code = 'account_input';

  constructor(
    /** `account_id`, `conversion_actions`, `credentials`, or a field of the credentials after a dot. */
    readonly fields: readonly string[],
    message: string,
  ) {
    super(message);
    this.name = 'AccountInputError';
  }
}

/** The platform lets nobody in, or did not answer: nothing was stored. */
export class AccountRefusedError extends Error {
  readonly code = 'account_refused';

  constructor(override readonly cause: PlatformError) {
    const code = cause.platformCode === undefined ? '' : ` (${cause.platformCode})`;
    super(`The account was not connected. ${cause.message}${code}. ${ADVICE[cause.kind]}`, { cause });
    this.name = 'AccountRefusedError';
  }
}

const ADVICE: Readonly<Record<PlatformErrorKind, string>> = {
  auth_expired: 'The credentials are wrong or have expired.',
  permission: 'The credentials give no access to this account.',
  rate_limited: 'The platform limits the rate of requests: try again later.',
  transient: 'The platform did not answer: try again.',
  too_much_data: 'The platform did not answer: try again.',
  unsupported_version: 'Set the base address to a version that the platform supports, or update Stratum.',
  permanent: 'Check the id of the account.',
};

/** The id as the platform's API writes it. @throws AccountInputError */
export function parseAccountId(platform: PlatformName, text: string): string {
  try {
    return adPlatform(platform).parseAccountId(text);
  } catch (error) {
    throw new AccountInputError(['account_id'], error instanceof Error ? error.message : String(error));
  }
}

/** Conversion actions as the platform's API names them. @throws AccountInputError */
export function parseConversionActions(platform: PlatformName, texts: readonly string[]): string[] {
  try {
    return adPlatform(platform).parseConversionActions(texts);
  } catch (error) {
    throw new AccountInputError(
      ['conversion_actions'],
      error instanceof Error ? error.message : String(error),
    );
  }
}

/** @throws AccountInputError that names the fields */
export function parseCredentials(platform: PlatformName, given: unknown): PlatformCredentials {
  const { credentials, credentialsHelp } = adPlatform(platform);
  const expected = `${platform} takes a JSON object ${credentialsHelp}.`;
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new AccountInputError(['credentials'], `The credentials are not a JSON object. ${expected}`);
  const parsed = credentials.safeParse({ ...given, platform });
  if (parsed.success) return parsed.data;
  const fields = [...new Set(parsed.error.issues.map(({ path }) => path.join('.')))].filter(
    (field) => field !== '',
  );
  throw new AccountInputError(
    fields.length === 0 ? ['credentials'] : fields.map((field) => `credentials.${field}`),
    `Missing or invalid in the credentials: ${fields.join(', ') || 'an unknown field'}. ${expected}`,
  );
}

export interface AccountCheck {
  /** As `parseAccountId` returns it. */
  externalId: string;
  credentials: PlatformCredentials;
  endpoints: PlatformEndpoints;
  /** For each request to the platform, in milliseconds. */
  timeoutMs: number;
}

/** Asks the platform what the account is. @throws AccountRefusedError */
export async function askForAccount(
  { externalId, ...options }: AccountCheck,
  signal: AbortSignal,
): Promise<Access> {
  try {
    return await checkAccess({ accountId: externalId, ...options }, signal);
  } catch (error) {
    if (error instanceof PlatformError) throw new AccountRefusedError(error);
    throw error;
  }
}
