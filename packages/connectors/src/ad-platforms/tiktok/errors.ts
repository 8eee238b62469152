/** TikTok's return codes, which come as HTTP 200: https://business-api.tiktok.com/portal/docs?id=1737172488964097 */
import { z } from 'zod';
import { PlatformError, type PlatformErrorKind } from '../errors.js';
import { retryAfterMs, type HttpReply } from '../http-client.js';

const envelopeSchema = z.object({
  code: z.int(),
  request_id: z.string().optional(),
  data: z.unknown().optional(),
});

const KINDS = new Map<number, PlatformErrorKind>([
  ...kind('rate_limited', 40100),
  ...kind('auth_expired', 40101, 40102, 40103, 40104, 40105, 40106, 40107, 40110),
  ...kind('permission', 40001),
  // A task that is not ready, a conflict of writers, an internal check that failed: none has to do with the request.
  ...kind('transient', 40200, 40201, 40202, 40700, 60001),
]);

/** The data of an answer. @throws PlatformError */
export function tiktokData(reply: HttpReply): unknown {
  const envelope = envelopeSchema.safeParse(reply.body).data;
  const code = envelope?.code ?? `HTTP ${reply.status}`;
  if (code === 0) return envelope?.data;
  const kindOfCode = envelope === undefined ? byStatus(reply.status) : byCode(envelope.code);
  const message =
    kindOfCode === 'unsupported_version' ? 'the API version has ended' : `request refused (${code})`;
  throw new PlatformError('tiktok', kindOfCode, message, {
    platformCode: String(code),
    requestId: envelope?.request_id,
    retryAfterMs: retryAfterMs(reply.headers),
  });
}

function byCode(code: number): PlatformErrorKind {
  return KINDS.get(code) ?? (code >= 50_000 && code < 60_000 ? 'transient' : 'permanent');
}

function byStatus(status: number): PlatformErrorKind {
  if (status === 429) return 'rate_limited';
  if (status === 404 || status === 410) return 'unsupported_version';
  return status === 408 || status >= 500 ? 'transient' : 'permanent';
}

function kind(value: PlatformErrorKind, ...codes: number[]): [number, PlatformErrorKind][] {
  return codes.map((code) => [code, value]);
}
