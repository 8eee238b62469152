/**
 * Receivers of events that the platform sends out, as many as there are names: `/receiver/<name>`. They keep the requests, verify them once
 * they know the secret, and answer as configured.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';

export interface ReceivedEvent {
  /** The header `webhook-id`. */
  id: string;
  at: string;
  /** Whether the signature is right; `null` as long as no secret is known. */
  verified: boolean | null;
  /** Why it is not. */
  problem: string | null;
  /** The answer sent. */
  answered: number;
  body: unknown;
}

const answerSchema = z.strictObject({
  status: z.int().min(200).max(599),
  /** So many times; `null` means always. */
  times: z.int().positive().nullable().default(1),
  /** Seconds, sent as `Retry-After`. */
  retry_after: z.int().nonnegative().optional(),
  /** How long it takes, in milliseconds. */
  delay_ms: z.int().nonnegative().max(120_000).default(0),
});
const secretSchema = z.strictObject({ secret: z.string().startsWith('whsec_') });
const params = z.object({ name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/) });

const KEPT = 100;
const MAX_RECEIVERS = 100;
const DEFAULT_ANSWER = { status: 204, delay_ms: 0, retry_after: undefined } as const;

type Answer = z.output<typeof answerSchema>;

class Receiver {
  readonly received: ReceivedEvent[] = [];
  secret: string | undefined;
  answer: Answer | undefined;

  take(headers: IncomingHttpHeaders, body: string): Omit<Answer, 'times'> {
    const answer = this.nextAnswer();
    const texts = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, [value].flat().join(', ')]),
    );
    const problem = this.verify(texts, body);
    this.received.unshift({
      id: texts['webhook-id'] ?? '',
      at: new Date().toISOString(),
      verified: this.secret === undefined ? null : problem === undefined,
      problem: problem ?? null,
      answered: answer.status,
      body: parse(body),
    });
    this.received.splice(KEPT);
    return answer;
  }

  private nextAnswer(): Omit<Answer, 'times'> {
    const { answer } = this;
    if (answer === undefined) return DEFAULT_ANSWER;
    if (answer.times !== null && --answer.times === 0) this.answer = undefined;
    return answer;
  }

  private verify(headers: Record<string, string>, body: string): string | undefined {
    if (this.secret === undefined) return undefined;
    try {
      new Webhook(this.secret).verify(body, headers);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}

export class Receivers {
  private readonly receivers = new Map<string, Receiver>();

  /** A receiver's requests, the newest first. */
  received(name: string): readonly ReceivedEvent[] {
    return this.receivers.get(name)?.received ?? [];
  }

  register(app: FastifyInstance): void {
    // Of its own: here a body is wanted as it was sent.
    void app.register(async (scope) => {
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
      this.routes(scope);
    });
  }

  private routes(app: FastifyInstance): void {
    app.post('/receiver/:name', async (request, reply) => {
      const parsed = params.safeParse(request.params);
      if (!parsed.success) return reply.code(404).send({ error: 'A name has letters, digits, "_" and "-".' });
      const {
        status,
        delay_ms: delayMs,
        retry_after: retryAfter,
      } = this.named(parsed.data.name).take(request.headers, textOf(request.body));
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs).unref());
      if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter));
      return reply.code(status).send();
    });
    app.get('/receiver/:name', async (request) => {
      const { name } = params.parse(request.params);
      return { received: this.received(name) };
    });
    app.put('/receiver/:name/secret', async (request, reply) => {
      const parsed = secretSchema.safeParse(parse(textOf(request.body)));
      if (!parsed.success) return reply.code(422).send({ error: z.prettifyError(parsed.error) });
      this.named(params.parse(request.params).name).secret = parsed.data.secret;
      return reply.code(204).send();
    });
    app.put('/receiver/:name/answer', async (request, reply) => {
      const parsed = answerSchema.safeParse(parse(textOf(request.body)));
      if (!parsed.success) return reply.code(422).send({ error: z.prettifyError(parsed.error) });
      this.named(params.parse(request.params).name).answer = parsed.data;
      return reply.code(200).send(parsed.data);
    });
  }

  private named(name: string): Receiver {
    let receiver = this.receivers.get(name);
    if (receiver === undefined) {
      receiver = new Receiver();
      this.receivers.set(name, receiver);
      const [oldest] = this.receivers.keys();
      if (this.receivers.size > MAX_RECEIVERS && oldest !== undefined) this.receivers.delete(oldest);
    }
    return receiver;
  }
}

function textOf(body: unknown): string {
  return typeof body === 'string' ? body : '';
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
