/** Answers a request with what went wrong. */
import type { FastifyReply } from 'fastify';
import { PROBLEM_TYPE, toProblem } from './problem.js';

const SERVER_ERROR = 500;

export function sendProblem(error: unknown, requestId: string, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error);
  if (problem.status >= SERVER_ERROR)
    reply.log.error({ err: problem.options.cause ?? problem, requestId }, 'request failed');
  if (problem.options.retryAfter !== undefined) reply.header('retry-after', problem.options.retryAfter);
  if (problem.kind === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
  return reply
    .code(problem.status)
    .type(PROBLEM_TYPE)
    .serializer(JSON.stringify)
    .send(problem.toBody(requestId));
}
