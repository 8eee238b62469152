/**
 * Bodies of requests are read in this one place: counted while they come, bounded before and after decompression, and parsed within the
 * bounds of JSON.
 */
import { JsonError, parseBoundedJson, type JsonOptions } from '@stratum/jobs/internal';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, type InputType, type ZlibOptions } from 'node:zlib';
import { SMALL_BODY, type BodyBudget, type BodyLease } from './body-budget.js';
import { clientOf } from './client-address.js';
import { ProblemError } from './problem.js';
import type { HttpServer } from './server-type.js';
import { Turns } from './turns.js';

type Decoder = (packed: InputType, options: Pick<ZlibOptions, 'maxOutputLength'>) => Promise<Buffer>;

const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['gzip', promisify<InputType, ZlibOptions, Buffer>(gunzip)],
  ['deflate', promisify<InputType, ZlibOptions, Buffer>(inflate)],
  ['br', promisify<InputType, { maxOutputLength?: number | undefined }, Buffer>(brotliDecompress)],
]);

/** Larger bodies are parsed in turns. */
const LARGE_BODY = 32_768;
/** Of this process: it has one event loop. */
const turns = new Turns();
const TOO_MANY = 429;
/** Answers to a body that was no use. */
const REFUSALS: ReadonlySet<number> = new Set([400, 403, 413, 422]);

export interface BodyOptions {
  budget: BodyBudget;
  /** Who is known to send, before the body is read. */
  senderOf: (request: FastifyRequest) => string;
}

/** Who sends, as long as nobody is known. */
export function addressOf(request: FastifyRequest): string {
  return `address/${clientOf(request.ip)}`;
}

/** Routes of this scope read their bodies as bytes. */
export function useRawBodies(scope: HttpServer, options: BodyOptions): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (request: FastifyRequest, payload: IncomingMessage) =>
    readBody(request, payload, options),
  );
}

/** Routes of this scope read their bodies as JSON. */
export function useJsonBodies(scope: HttpServer, options: BodyOptions): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('application/json', async (request: FastifyRequest, payload: IncomingMessage) =>
    parseBody(await readBody(request, payload, options)),
  );
}

/** Skips a byte order mark. */
const utf8 = new TextDecoder();

/** @throws ProblemError `invalid` naming the field, or `bad-request` for what is no JSON at all */
export function parseBody(bytes: Uint8Array, options?: JsonOptions): unknown {
  try {
    return parseBoundedJson(utf8.decode(bytes), options);
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    const field = ['body', ...cause.path].join('.');
    const isField = cause.path.length > 0;
    throw new ProblemError(isField ? 'invalid' : 'bad-request', `${field}: ${cause.message}.`, {
      errors: [{ field, message: cause.message }],
      cause,
    });
  }
}

interface Limit {
  bytes: number;
  /** Of a body that has more. */
  problem: (what: 'body' | 'decompressed body') => ProblemError;
}

function limitOf(request: FastifyRequest, budget: BodyBudget, sender: string): Limit {
  const ofRoute = request.routeOptions.bodyLimit ?? request.server.initialConfig.bodyLimit ?? 0;
  const ofSender = budget.mostBytes(sender);
  if (ofSender < ofRoute) return { bytes: ofSender, problem: () => budget.refusal(sender) };
  return {
    bytes: ofRoute,
    problem: (what) => new ProblemError('too-large', `The ${what} exceeds ${ofRoute} bytes.`),
  };
}

async function readBody(
  request: FastifyRequest,
  payload: IncomingMessage,
  { budget, senderOf: sender }: BodyOptions,
): Promise<Buffer> {
  const from = sender(request);
  const limit = limitOf(request, budget, from);
  const encoding = request.headers['content-encoding']?.trim().toLowerCase();
  const isPacked = encoding !== undefined && encoding !== '' && encoding !== 'identity';
  const decoder = isPacked ? DECODERS.get(encoding) : undefined;
  if (isPacked && (decoder === undefined || request.routeOptions.config.rawBody === true))
    throw new ProblemError(
      'unsupported-media-type',
      `Content-Encoding ${JSON.stringify(encoding)} is not supported here. Send the body uncompressed${decoder === undefined ? ', or as gzip, deflate or br' : ''}.`,
    );
  if (Number(request.headers['content-length'] ?? 0) > limit.bytes) throw limit.problem('body');
  const { lease, release } = budget.open(from);
  let cost = 0;
  request.releaseBody = release;
  request.chargeBody = () => budget.refused(from, cost);
  const bytes = await collect(payload, lease, limit);
  cost = bytes.byteLength;
  let body = bytes;
  if (decoder !== undefined) {
    // As much is unpacked of a body that is too large.
    cost = limit.bytes;
    body = await unpack(decoder, bytes, { encoding: encoding ?? '', limit });
    cost = body.byteLength;
    lease.grow(body.byteLength - bytes.byteLength);
  }
  lease.arrived();
  if (body.byteLength > LARGE_BODY) {
    await turns.next(from);
    budget.readmit(from, body.byteLength);
  }
  if (!lease.isOpen) throw endedEarly();
  return body;
}

/** Reads until the end, the limit, or until the body has to give way; then nothing more of it is kept. */
function collect(payload: IncomingMessage, lease: BodyLease, limit: Limit): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (error: unknown): void => {
      stop();
      chunks.length = 0;
      // The rest is read and dropped.
      payload.resume();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.byteLength;
      chunks.push(chunk);
      if (size > limit.bytes) return fail(limit.problem('body'));
      try {
        lease.grow(chunk.byteLength);
      } catch (error) {
        fail(error);
      }
    };
    const onEnd = (): void => {
      stop();
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
    };
    const onClose = (): void => fail(endedEarly());
    const onAbort = (): void => fail(lease.signal.reason);
    const stop = (): void => {
      payload.off('data', onData).off('end', onEnd).off('error', fail).off('close', onClose);
      lease.signal.removeEventListener('abort', onAbort);
    };
    payload.on('data', onData).on('end', onEnd).on('error', fail).on('close', onClose);
    lease.signal.addEventListener('abort', onAbort);
  });
}

async function unpack(
  decoder: Decoder,
  bytes: Buffer,
  { encoding, limit }: { encoding: string; limit: Limit },
): Promise<Buffer> {
  try {
    return await decoder(bytes, { maxOutputLength: limit.bytes });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : '';
    if (code === 'ERR_BUFFER_TOO_LARGE') throw limit.problem('decompressed body');
    throw new ProblemError('bad-request', `The body is not valid ${encoding}.`, { cause });
  }
}

function endedEarly(): ProblemError {
  return new ProblemError('bad-request', 'The request ended early.');
}

/** The memory of a body is given back when its answer is sent, or its connection is gone. */
export function useBodyRelease(app: HttpServer): void {
  app.decorateRequest('releaseBody', undefined);
  app.decorateRequest('chargeBody', undefined);
  app.addHook('onRequest', async (request, reply: FastifyReply) => {
    reply.raw.once('close', () => request.releaseBody?.());
  });
  // Before the answer is sent: the next body of the sender may be here, and waits for its turn.
  app.addHook('onSend', async (request, { statusCode }: FastifyReply) => {
    if (REFUSALS.has(statusCode)) request.chargeBody?.();
  });
  // Reading what is left of a large body costs more than the answer: a sender that is over its limits loses its connection instead.
  app.addHook('onSend', async ({ raw, headers }, reply: FastifyReply) => {
    const left = Number(headers['content-length'] ?? Number.POSITIVE_INFINITY);
    if (reply.statusCode === TOO_MANY && !raw.complete && left > SMALL_BODY)
      reply.header('connection', 'close');
  });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body is needed exactly as it was sent: no compression. */
    rawBody?: boolean;
  }
  interface FastifyRequest {
    releaseBody: (() => void) | undefined;
    /** Counts the body as refused. */
    chargeBody: (() => void) | undefined;
  }
}
