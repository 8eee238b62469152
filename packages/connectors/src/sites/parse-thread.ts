/** The thread's side of `parseInThread`: one request, one answer. */
import { parentPort } from 'node:worker_threads';
import { SiteError } from '../safe-fetch/index.js';
import { factsOf, isAllowed } from './page-facts.js';
import type { ParseAnswer, ParseRequest } from './parse-in-thread.js';

parentPort?.on('message', (request: ParseRequest) => {
  parentPort?.postMessage(answerTo(request));
});

function answerTo(request: ParseRequest): ParseAnswer {
  try {
    return {
      value:
        request.kind === 'page'
          ? factsOf(new URL(request.url), request.html, request.headers)
          : isAllowed(request, request.page),
    };
  } catch (error) {
    return { problem: error instanceof SiteError ? error.message : 'the page cannot be read' };
  }
}
