/** Handlers that run in threads: plain JavaScript, because a thread loads no sources. */

import { createRequire } from 'node:module';

const { cache } = createRequire(import.meta.url);

/** Does as its payload says. */
export async function isolated({ act, value }, context) {
  switch (act) {
    case 'return':
      context.progress(1, 2, 'in the thread');
      context.logger.info({ value }, 'from the thread');
      return { value, retries: context.retries, id: context.id };
    case 'fail':
      throw Object.assign(new TypeError('not like this'), { retryable: false, code: 'own_code' });
    case 'retry':
      if (context.retries === 0) context.retry({ delayMs: 10 });
      return { value, retries: context.retries, id: context.id };
    case 'partial':
      // A thread that took its time to start finds the limit passed.
      if (!context.signal.aborted)
        await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
      return { value: context.signal.reason.name, retries: 0, id: context.id };
    case 'previous':
      return { value: JSON.stringify(await context.previous()), retries: 0, id: context.workflow.workflow };
    case 'start': {
      const first = {
        task: context.task,
        queue: context.queue,
        payload: { act: 'return', value: 'in a workflow' },
      };
      const { id } = await context.startWorkflow({ chain: [first] }, { id: `${context.id}-wf` });
      return { value: id, retries: 0, id: context.id };
    }
    case 'required':
      return {
        value: Object.keys(cache)
          .filter((file) => !file.includes('node_modules'))
          .join(' '),
        retries: 0,
        id: context.id,
      };
    case 'block':
      for (;;);
    default:
      throw new Error(`unknown act ${act}`);
  }
}
