/** A sender of webhooks: how its requests are verified, and which events they carry. */
import type { z } from 'zod';

/** A request as it came: nothing of it may be believed before its signature is checked. */
export interface WebhookRequest {
  /** The public address that it was sent to, query included: some senders sign it. */
  url: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The very bytes. */
  body: Buffer;
}

/** One event of a request that may contain many. */
export interface WebhookEvent {
  /** The sender's key: events with the same key are the same event. */
  key: string;
  /**
   * What its effects are keyed by, where `key` comes from a header that no signature covers: so a captured request that is sent again
   * under another id still has no effect.
   */
  identity: string;
  type: string;
  /** Text, usually JSON: the request's own where it carries one event. */
  body: string;
}

/** `valid`, or the reason, in words for the person who sets the endpoint up; they reveal no secret. */
export type Verdict = 'valid' | { refused: string };

export interface VerifyOptions<Settings> {
  /** Those that are valid now: more than one during a rotation. */
  secrets: readonly string[];
  settings: Settings;
  now: Date;
}

/** A request that is signed and makes no sense. The message says what is wrong. */
export class MalformedWebhookError extends Error {
  readonly code = 'malformed_webhook';

  constructor(message: string) {
    super(message);
    this.name = 'MalformedWebhookError';
  }
}

export interface WebhookSource<Settings = unknown> {
  readonly name: string;
  /** Shown where endpoints are made. */
  readonly title: string;
  /** Origin of the secret: `ours` when the sender accepts any. */
  readonly secret: 'ours' | 'theirs';
  /** A new secret of ours. */
  newSecret?(): string;
  /** Returns what is wrong with a given secret, or `undefined`. */
  checkSecret?(secret: string): string | undefined;
  /** Settings of its own, besides those that all endpoints have. */
  readonly settings: z.ZodType<Settings>;
  /** Request headers that are kept with the delivery: never those that carry signatures. */
  readonly keptHeaders: readonly string[];
  verify(request: WebhookRequest, options: VerifyOptions<Settings>): Verdict;
  /** Of a request that is verified. @throws MalformedWebhookError */
  events(request: WebhookRequest, settings: Settings): WebhookEvent[];
  /** The answer to a handshake, or `undefined` to refuse it. Without this function the source has none. */
  handshake?(query: Readonly<Record<string, unknown>>, settings: Settings): string | undefined;
}
