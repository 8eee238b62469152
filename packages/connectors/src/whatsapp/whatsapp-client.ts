/** WhatsApp Cloud API: one message. Its answers are classified by code, never by its text or HTTP status. */
import { z } from 'zod';
import { readText } from '../http/read-text.js';

export interface OutgoingMessage {
  phoneNumberId: string;
  accessToken: string;
  /** Digits, with the country's code; or a user id of the business. */
  to: string;
  /** Comes back in the delivery reports. */
  reference: string;
  content:
    | { kind: 'template'; name: string; language: string; parameters: readonly string[] }
    | { kind: 'text'; body: string };
}

/** `unknown`: the provider may have it, or not. */
export type SendResult =
  /** `knownAs`: what WhatsApp calls the recipient. */
  | { outcome: 'accepted'; providerId: string; knownAs: string[] }
  | { outcome: 'unknown'; reason: string }
  /** `isAway`: WhatsApp itself cannot be reached, or says that it is out of order. */
  | { outcome: 'later'; reason: string; afterMs: number | undefined; isAway: boolean }
  | { outcome: 'account_paused'; reason: string }
  | { outcome: 'opted_out'; reason: string }
  | { outcome: 'failed'; reason: string };

/** For the circuit breaker: WhatsApp did not do its work, whoever had asked. */
export class WhatsAppAwayError extends Error {
  readonly code = 'whatsapp_away';

  constructor(reason: string) {
    super(`WhatsApp is away: ${reason}.`);
    this.name = 'WhatsAppAwayError';
  }
}

const acceptedSchema = z.object({
  messages: z.array(z.object({ id: z.string() })).min(1),
  contacts: z.array(z.object({ wa_id: z.string().optional(), user_id: z.string().optional() })).optional(),
});
const errorSchema = z.object({
  error: z.object({
    code: z.int(),
    error_subcode: z.int().optional(),
    error_data: z.object({ details: z.string() }).optional(),
  }),
});

/** https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes */
const LATER = new Set([
  4, 17, 32, 613, 80007, 80008, 130429, 131016, 131056, 131057, 132069, 133004, 133015, 133016,
]);
/** Of those: WhatsApp is out of order for everybody. */
const AWAY = new Set([131016, 133004]);
/** The number, its account or its token is at fault, so every message would fail. */
const ACCOUNT_PAUSED = new Set([
  0, 3, 10, 102, 190, 368, 131005, 131031, 131037, 131042, 131045, 131048, 133000, 133005, 133006, 133010,
  134011,
]);
/** An object that does not exist, or that the token may not use: the number's id. */
const NO_OBJECT = { code: 100, subcode: 33 } as const;
const OPTED_OUT = 131050;
/** The provider failed in the middle of its work. */
const UNKNOWN = new Set([1, 2, 131000]);
const SERVER_ERROR = 500;
const TOO_MANY = 429;
/** Bytes of an answer: a message's take a few hundred. */
const MAX_ANSWER = 1024 * 1024;

export class WhatsAppClient {
  constructor(private readonly options: { baseUrl: string; timeoutMs: number }) {}

  async send(message: OutgoingMessage, signal: AbortSignal): Promise<SendResult> {
    const { baseUrl, timeoutMs } = this.options;
    let response: Response;
    let body: unknown;
    try {
      response = await fetch(`${baseUrl}/${message.phoneNumberId}/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${message.accessToken}`, 'content-type': 'application/json' },
        body: JSON.stringify(payloadOf(message)),
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      body = JSON.parse(await readText(response, MAX_ANSWER));
    } catch (error) {
      return neverLeft(error)
        ? { outcome: 'later', reason: 'no connection', afterMs: undefined, isAway: true }
        : { outcome: 'unknown', reason: 'no answer' };
    }
    const accepted = acceptedSchema.safeParse(body).data;
    const [first] = accepted?.messages ?? [];
    if (response.ok && first !== undefined) {
      const [contact] = accepted?.contacts ?? [];
      const knownAs = [contact?.wa_id, contact?.user_id].filter(
        (id): id is string => id !== undefined && id !== '',
      );
      return { outcome: 'accepted', providerId: first.id, knownAs };
    }
    return refusal(response, body);
  }
}

function payloadOf({ to, content, reference }: OutgoingMessage): object {
  const envelope = {
    messaging_product: 'whatsapp',
    recipient_type: 'individual',
    ...(/^\d+$/.test(to) ? { to } : { recipient: to }),
    biz_opaque_callback_data: reference,
  };
  if (content.kind === 'text')
    return { ...envelope, type: 'text', text: { body: content.body, preview_url: false } };
  const parameters = content.parameters.map((text) => ({ type: 'text', text }));
  return {
    ...envelope,
    type: 'template',
    template: {
      name: content.name,
      language: { code: content.language },
      components: parameters.length === 0 ? [] : [{ type: 'body', parameters }],
    },
  };
}

function refusal(response: Response, body: unknown): SendResult {
  const error = errorSchema.safeParse(body).data?.error;
  if (error === undefined) {
    if (response.status === TOO_MANY)
      return { outcome: 'later', reason: 'HTTP 429', afterMs: retryAfter(response), isAway: false };
    return response.status >= SERVER_ERROR || response.ok
      ? { outcome: 'unknown', reason: `HTTP ${response.status}` }
      : { outcome: 'failed', reason: `HTTP ${response.status}` };
  }
  const { code, error_subcode: subcode } = error;
  const reason = `code ${code}`;
  if (LATER.has(code))
    return { outcome: 'later', reason, afterMs: retryAfter(response), isAway: AWAY.has(code) };
  const isNumberGone = code === NO_OBJECT.code && subcode === NO_OBJECT.subcode;
  if (isNumberGone || ACCOUNT_PAUSED.has(code) || (code >= 200 && code <= 299))
    return { outcome: 'account_paused', reason };
  if (code === OPTED_OUT) return { outcome: 'opted_out', reason };
  if (UNKNOWN.has(code) || response.status >= SERVER_ERROR) return { outcome: 'unknown', reason };
  return { outcome: 'failed', reason };
}

function retryAfter(response: Response): number | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? NaN);
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}

/** The connection was never there, so nothing was sent. */
function neverLeft(error: unknown): boolean {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : '';
  return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'].includes(code);
}
