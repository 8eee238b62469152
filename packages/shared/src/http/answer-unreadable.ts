/** Answers senders whose request could not be read as HTTP, or did not arrive in time. */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { PROBLEM_TYPE, ProblemError } from './problem.js';
import { SERVER_LIMITS } from './server-limits.js';

/**
 * Sends the problem and ends the connection. The answer says so: nothing that follows on this connection can be read, and a client that
 * keeps connections open would send its next request into one that is gone.
 */
export function answerUnreadable({ code }: { code?: string }, socket: Socket): void {
  if (code === 'ECONNRESET' || socket.destroyed) return;
  if (!socket.writable) return void socket.destroy();
  const problem = problemOf(code).toBody(randomUUID());
  const body = JSON.stringify(problem);
  socket.end(
    [
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
      `content-type: ${PROBLEM_TYPE}`,
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
    () => socket.destroy(),
  );
}

function problemOf(code: string | undefined): ProblemError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new ProblemError(
        'headers-too-large',
        `The request line and the headers have more than ${SERVER_LIMITS.maxHeaderSize} bytes. Send what is long in the body.`,
      );
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ProblemError('request-timeout', 'The request did not arrive in time. Send it again.');
    default:
      return new ProblemError('bad-request', 'The request is not valid HTTP/1.1.');
  }
}
