import { taskEventSchema, type TaskEvent } from '@stratum/jobs';
import { once } from 'node:events';
import { withClient } from '../client-session.js';
import { styled } from '../output.js';
import { requireQueue } from '../queue-lookup.js';
import { STATE_COLOURS } from '../record-view.js';

const EVENT_COLOURS = { ...STATE_COLOURS, QUEUED: 'cyan', SKIPPED: 'yellow' } as const;

interface EventOptions {
  queue?: string;
  task?: string;
  state?: string;
  json?: boolean;
}

export async function tail({ queue, task = '*', state = '*', json }: EventOptions): Promise<void> {
  await withClient(async ({ connection, topology }) => {
    requireQueue(topology.queues, queue);
    const subscription = connection.subscribe(topology.names.eventSubject(queue ?? '*', task, state), {
      callback: (error, message) => {
        const event = error === null ? taskEventSchema.safeParse(message.json()).data : undefined;
        if (event === undefined) return;
        console.log(json ? JSON.stringify(event) : describe(event));
      },
    });
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM'), connection.closed()]);
    subscription.unsubscribe();
  });
}

function describe(event: TaskEvent): string {
  const { state, error } = event;
  const ran = event.runtime_ms === null ? '' : ` ${event.runtime_ms} ms`;
  const reason = error === null ? '' : `  ${error.type}: ${error.message}`;
  return `${event.at}  ${styled(EVENT_COLOURS[state], state.padEnd(9))}  ${event.queue}  ${event.task}  ${event.id}${ran}${reason}`;
}
