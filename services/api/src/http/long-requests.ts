/** Requests that stay open for long: each caller may have some of them, so that none takes all. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from '@stratum/shared/http';

const MAX_PER_CALLER = 100;
const RETRY_AFTER_SECONDS = 5;

export class LongRequests {
  private readonly open = new Map<string, number>();

  /** A signal that aborts when the caller goes away. @throws ProblemError `rate-limited` */
  begin(request: FastifyRequest, reply: FastifyReply): AbortSignal {
    const caller = request.principal?.keyId ?? request.ip;
    const count = this.open.get(caller) ?? 0;
    if (count >= MAX_PER_CALLER) {
      throw new ProblemError(
        'rate-limited',
        `This key already has ${MAX_PER_CALLER} requests waiting. Wait for some of them to finish.`,
        { retryAfter: RETRY_AFTER_SECONDS },
      );
    }
    this.open.set(caller, count + 1);
    reply.raw.once('close', () => {
      const left = (this.open.get(caller) ?? 1) - 1;
      if (left > 0) this.open.set(caller, left);
      else this.open.delete(caller);
    });
    return whileOpen(reply);
  }
}

/** A signal that aborts when nobody waits for the answer any more. */
export function whileOpen(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    // Nobody reads it; it says in the metrics that this was no fault of ours.
    controller.abort(new ProblemError('bad-request', 'The client disconnected.'));
  });
  return controller.signal;
}
