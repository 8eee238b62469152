/** One error for everything an ad platform can answer instead of data. */

export type PlatformErrorKind =
  | 'rate_limited'
  | 'auth_expired'
  | 'permission'
  | 'transient'
  | 'too_much_data'
  /** The API's version has ended, or is not the one that this release knows: somebody has to act. */
  | 'unsupported_version'
  | 'permanent';

/** Trying again helps with these, and only with these. */
const RETRYABLE: ReadonlySet<PlatformErrorKind> = new Set(['rate_limited', 'transient', 'too_much_data']);

export interface PlatformErrorDetails {
  /** The platform's own code, for people. */
  platformCode?: string | undefined;
  /** How long the platform asks to wait, in milliseconds. */
  retryAfterMs?: number | undefined;
  requestId?: string | undefined;
  /** No answer came at all. */
  unreachable?: boolean | undefined;
  httpStatus?: number | undefined;
  cause?: unknown;
}

/** Carries no address, header or body: those can hold tokens. */
export class PlatformError extends Error {
  readonly code = 'platform_error';
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly platformCode: string | undefined;
  readonly requestId: string | undefined;
  /** Whether the platform could not be reached: a task that meets this waits, and spends no retry. */
  readonly unreachable: boolean;
  readonly httpStatus: number | undefined;

  constructor(
    readonly platform: string,
    readonly kind: PlatformErrorKind,
    message: string,
    details: PlatformErrorDetails = {},
  ) {
    super(`${platform}: ${message}`, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'PlatformError';
    this.retryable = RETRYABLE.has(kind);
    this.retryAfterMs = details.retryAfterMs;
    this.platformCode = details.platformCode;
    this.requestId = details.requestId;
    this.unreachable = details.unreachable ?? false;
    this.httpStatus = details.httpStatus;
  }
}

/** Listings end on a cursor that has come before: following it would read the same pages for ever. */
export class SeenCursors {
  private readonly seen = new Set<string>();

  constructor(private readonly platform: string) {}

  /** @throws PlatformError `transient`: the next attempt gets cursors of its own */
  follow(cursor: string): string {
    if (this.seen.has(cursor))
      throw new PlatformError(this.platform, 'transient', 'paging is stuck: a cursor came twice', {
        platformCode: 'cursor_came_twice',
      });
    this.seen.add(cursor);
    return cursor;
  }
}
