/** One HTTP request to a platform: bounded in time and size, its answer parsed as JSON, its errors free of secrets. */
import { setTimeout as delay } from 'node:timers/promises';
import { AnswerTooLargeError, readText } from '../http/read-text.js';
import { PlatformError } from './errors.js';

export interface HttpRequest {
  method?: 'GET' | 'POST' | 'PUT';
  url: URL;
  headers?: Record<string, string>;
  body?: string;
  signal: AbortSignal;
}

export interface HttpReply {
  status: number;
  headers: Headers;
  body: unknown;
}

export interface HttpClientOptions {
  platform: string;
  /** The whole request, answer included, in milliseconds. Default 30,000. */
  timeoutMs?: number;
  /** Largest answer that is read, in bytes. Default 64 MiB. */
  maxBytes?: number;
}

export class HttpClient {
  private readonly platform: string;
  private readonly timeoutMs: number;
  private readonly maxBytes: number;

  constructor(options: HttpClientOptions) {
    this.platform = options.platform;
    this.timeoutMs = options.timeoutMs ?? 30_000;
    this.maxBytes = options.maxBytes ?? 64 * 1024 * 1024;
  }

  /**
   * Any status is an answer; the platform's connector interprets it.
   * @throws PlatformError `transient` for time-outs, broken connections and broken JSON; the signal's reason when it aborts
   */
  async send(request: HttpRequest): Promise<HttpReply> {
    const timeout = AbortSignal.timeout(this.timeoutMs);
    let response: Response | undefined;
    try {
      response = await fetch(request.url, {
        method: request.method ?? 'GET',
        headers: { accept: 'application/json', ...request.headers },
        body: request.body ?? null,
        // A redirect could carry the token elsewhere.
        redirect: 'error',
        signal: AbortSignal.any([request.signal, timeout]),
      });
      const text = await readText(response, this.maxBytes);
      return { status: response.status, headers: response.headers, body: this.parse(text, response.status) };
    } catch (error) {
      request.signal.throwIfAborted();
      if (error instanceof PlatformError) throw error;
      if (error instanceof AnswerTooLargeError)
        throw new PlatformError(this.platform, 'too_much_data', error.message);
      const isSilent = response === undefined;
      if (timeout.aborted) throw this.transient(`no answer within ${this.timeoutMs} ms`, isSilent);
      const fault = connectionFault(error);
      throw this.transient(`the connection failed (${fault})`, isSilent && UNREACHABLE.test(fault));
    }
  }

  private parse(text: string, status: number): unknown {
    if (text === '') return undefined;
    try {
      return JSON.parse(text);
    } catch {
      // The page of a server or a proxy that does not know the address, has no time, or is broken: the status says all.
      if (status === 404 || status === 410 || status === 429 || status >= 500) return undefined;
      // A proxy's error page, or an answer that was cut: the next try may get a whole one.
      throw this.transient(`the answer (HTTP ${status}) is not JSON`);
    }
  }

  private transient(message: string, unreachable = false): PlatformError {
    return new PlatformError(this.platform, 'transient', message, { unreachable });
  }
}

/** Codes of sockets, name lookups and the HTTP client. Others, as for a certificate or a redirect, do not pass with an outage. */
const UNREACHABLE = /^(?:E(?!RR_)[A-Z_]+|UND_ERR_(?:CONNECT_TIMEOUT|SOCKET))$/;

/** The system's code, such as ECONNREFUSED. Not the message: it can hold the address. */
function connectionFault(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (typeof cause === 'object' && cause !== null && 'code' in cause) return String(cause.code);
  return 'no further reason';
}

/** Rejects with the signal's reason when it aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** The wait that a `Retry-After` header asks for, in milliseconds: seconds or a date. */
export function retryAfterMs(headers: Headers, now: number = Date.now()): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  if (/^\d+(\.\d+)?$/.test(value)) return Math.ceil(Number(value) * 1000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
