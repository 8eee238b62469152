/**
 * Fetches pages of the public web for addresses that users typed. Nothing inside our own network can be reached by it:
 * the address that a name resolves to is checked when the connection is made, and that very address is connected to, so a name that
 * resolves to something else a moment later changes nothing; the same goes for each redirect.
 */
import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { Agent, request } from 'undici';
import { EncodingError, textOf, unpacked } from './decoded-text.js';
import { isPublic } from './public-address.js';

export interface SafeFetchOptions {
  /** Hosts with their ports that are exempt. Default: none. */
  allowedHosts?: readonly string[];
  /** For each page, redirects included, in milliseconds. Default 15,000. */
  timeoutMs?: number;
  /** Of a larger page the beginning counts, and a larger answer is refused, in bytes. Default 2 MiB. */
  maxBytes?: number;
  /** Default: the system's resolver. */
  resolve?: LookupFunction;
}

export interface FetchedPage {
  /** After redirects. */
  url: URL;
  status: number;
  headers: Readonly<Record<string, string>>;
  body: string;
  /** More was there than counts. */
  isCut: boolean;
}

export interface PageOptions {
  /** The most bytes that count, where fewer than of other pages. */
  maxBytes?: number;
  /** Asked before a redirect is followed; throws when it must not be. */
  onRedirect?: (target: URL) => Promise<void>;
}

export interface SendOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  headers?: Record<string, string>;
  body?: string;
  /** In milliseconds. Default: as for pages. */
  timeoutMs?: number;
  /**
   * The most bytes of the answer's body that are wanted: the rest is not read, and neither its size nor its end matters. Default: all of it,
   * and one that is too large is an error.
   */
  keepBytes?: number;
}

/** Kind of a failed request. */
export type SiteProblem =
  /** The address is malformed, or not on the public internet. */
  | 'address'
  /** The name does not exist. */
  | 'dns'
  | 'timeout'
  | 'connection'
  /** The answer is malformed. */
  | 'answer';

/** Why a page could not be had; safe to show. */
export class SiteError extends Error {
  readonly code = 'site_error';

  constructor(
    message: string,
    /** Whether the same request may succeed later. */
    readonly retryable: boolean,
    readonly problem: SiteProblem = 'answer',
  ) {
    super(message);
    this.name = 'SiteError';
  }
}

const MAX_REDIRECTS = 5;
const DEFAULT_TIMEOUT_MS = 15_000;
const DEFAULT_MAX_BYTES = 2 * 1024 * 1024;
const CONNECT_TIMEOUT_MS = 5_000;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const PORTS = new Set(['', '80', '443']);

export const USER_AGENT = 'StratumBot/1.0 (+https://stratum.example/bot)';

export class SafeFetch {
  private readonly guarded: Agent;
  private readonly open: Agent;
  private readonly allowed: ReadonlySet<string>;

  constructor(private readonly options: SafeFetchOptions = {}) {
    this.allowed = new Set(options.allowedHosts);
    const resolve = options.resolve ?? lookup;
    this.guarded = new Agent({
      connect: {
        timeout: CONNECT_TIMEOUT_MS,
        lookup: (hostname, lookupOptions, callback) =>
          resolve(hostname, { ...lookupOptions, all: true }, checked(callback, lookupOptions.all === true)),
      },
    });
    this.open = new Agent({ connect: { timeout: CONNECT_TIMEOUT_MS } });
  }

  /** A page, over redirects. @throws SiteError; the signal's reason when it aborts */
  page(address: string | URL, signal: AbortSignal, options: PageOptions = {}): Promise<FetchedPage> {
    return this.fetch(address, signal, {
      headers: { accept: 'text/html,text/plain;q=0.9,*/*;q=0.1', 'accept-encoding': 'identity' },
      isPage: true,
      ...options,
    });
  }

  /** One request that may carry secrets, so redirects are answers, not followed. @throws SiteError; the signal's reason when it aborts */
  send(address: string | URL, options: SendOptions, signal: AbortSignal): Promise<FetchedPage> {
    return this.fetch(address, signal, { ...options, redirects: 0 });
  }

  private async fetch(
    address: string | URL,
    signal: AbortSignal,
    {
      method = 'GET',
      headers: asked,
      body: sent,
      timeoutMs = this.options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      keepBytes,
      redirects = MAX_REDIRECTS,
      isPage = false,
      maxBytes = this.options.maxBytes ?? DEFAULT_MAX_BYTES,
      onRedirect,
    }: SendOptions & PageOptions & { redirects?: number; isPage?: boolean },
  ): Promise<FetchedPage> {
    const timeout = AbortSignal.timeout(timeoutMs);
    let url = parse(address);
    try {
      for (let count = 0; count <= redirects; count++) {
        const isOpen = this.allowed.has(url.host);
        if (!isOpen) refuseAddress(url);
        const { statusCode, headers, body } = await request(url, {
          dispatcher: isOpen ? this.open : this.guarded,
          method,
          headers: { 'user-agent': USER_AGENT, ...asked },
          ...(sent === undefined ? {} : { body: sent }),
          signal: AbortSignal.any([signal, timeout]),
        });
        const location = headers['location'];
        if (redirects === 0 || !REDIRECTS.has(statusCode) || typeof location !== 'string') {
          const answer = plain(headers);
          if (keepBytes !== undefined) {
            const text = await beginning(body, keepBytes);
            return { url, status: statusCode, headers: answer, body: text, isCut: false };
          }
          const stream = unpacked(body, answer['content-encoding']);
          const { bytes, isCut } = await read(stream, { maxBytes, refusesMore: !isPage });
          return {
            url,
            status: statusCode,
            headers: answer,
            body: textOf(bytes, answer['content-type']),
            isCut,
          };
        }
        await body.dump();
        url = parse(new URL(location, url));
        await onRedirect?.(url);
      }
      throw new SiteError(`more than ${MAX_REDIRECTS} redirects`, false);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof SiteError) throw error;
      if (error instanceof EncodingError) throw new SiteError(error.message, false);
      if (/^(?:Z_|ERR_BROTLI|ERR__ERROR|ERR_PADDING)/.test(codeOf(error)))
        throw new SiteError('the answer cannot be decompressed', false);
      if (timeout.aborted) throw new SiteError('no answer in time', true, 'timeout');
      throw new SiteError(
        connectionProblem(error),
        isPassing(error),
        isPassing(error) ? 'connection' : 'dns',
      );
    }
  }
}

/** As much as counts. @throws SiteError where more is there, and it may not be cut */
async function read(
  body: AsyncIterable<Buffer>,
  { maxBytes, refusesMore }: { maxBytes: number; refusesMore: boolean },
): Promise<{ bytes: Buffer; isCut: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxBytes && refusesMore)
      throw new SiteError(`the answer is larger than ${maxBytes} bytes`, false);
    chunks.push(chunk);
    if (size > maxBytes) break;
  }
  return { bytes: Buffer.concat(chunks).subarray(0, maxBytes), isCut: size > maxBytes };
}

/** An answer that never ends, or breaks off, still has a status. */
async function beginning(body: AsyncIterable<Buffer>, bytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      size += chunk.byteLength;
      if (size >= bytes) break;
    }
  } catch {
    // The part received so far is the body.
  }
  return Buffer.concat(chunks).subarray(0, bytes).toString('utf8');
}

/**
 * The reason to refuse an address whatever its name resolves to, for an immediate message to the person who types it. `undefined`: it may be tried.
 * @param allowedHosts hosts with their ports that are exempt
 */
export function addressProblem(address: string, allowedHosts: readonly string[]): string | undefined {
  try {
    const url = parse(address);
    if (!allowedHosts.includes(url.host)) refuseAddress(url);
    return undefined;
  } catch (error) {
    if (error instanceof SiteError) return error.message;
    throw error;
  }
}

function parse(address: string | URL): URL {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new SiteError('the address is not a URL', false, 'address');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new SiteError('only http and https are allowed', false, 'address');
  if (url.username !== '' || url.password !== '')
    throw new SiteError('an address with a user name is not allowed', false, 'address');
  return url;
}

/** The URL parser has brought decimal, hexadecimal and octal addresses into their usual form by now. */
function refuseAddress(url: URL): void {
  if (!PORTS.has(url.port)) throw new SiteError('only ports 80 and 443 are allowed', false, 'address');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (ipaddr.isValid(host) && !isPublic(host)) throw notPublic();
}

type LookupCallback = Parameters<LookupFunction>[2];

/** Hands on public addresses only. */
function checked(callback: LookupCallback, all: boolean): LookupCallback {
  return (error, found, family) => {
    if (error !== null) {
      callback(error, found, family);
      return;
    }
    const addresses = Array.isArray(found) ? found : [{ address: found, family: family ?? 4 }];
    // One that is not public spoils all: a name with both is a trap.
    const [first] = addresses;
    if (first === undefined || !addresses.every(({ address }) => isPublic(address)))
      callback(notPublic(), '', 0);
    else if (all) callback(null, addresses);
    else callback(null, first.address, first.family);
  };
}

function notPublic(): SiteError {
  return new SiteError('the address is not on the public internet', false, 'address');
}

function plain(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  );
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}

function connectionProblem(error: unknown): string {
  const code = codeOf(error);
  if (code === 'ENOTFOUND') return 'the site does not exist';
  return code === '' ? 'the connection failed' : `the connection failed (${code})`;
}

function isPassing(error: unknown): boolean {
  return codeOf(error) !== 'ENOTFOUND';
}
