/** The main thread's end of the channel to a thread, for one attempt: makes the calls that only the main thread can make. */
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { z } from 'zod';
import type { Enqueued } from '../message/enqueued.js';
import { defineTask } from '../task/define-task.js';
import { parseLogLine } from '../telemetry/logger.js';
import type { TaskProgress } from '../wire/record.js';
import type { RunContext } from '../worker/context.js';
import type { FromThread, ToThread } from './protocol.js';
import { packThrown, unpackThrown } from './thrown.js';

type Reply = Extract<FromThread, { kind: 'returned' | 'threw' }>;
type EnqueueCall = Extract<FromThread, { kind: 'enqueue' }>;

export class ThreadLink {
  private reply: Reply | undefined;

  constructor(
    private readonly port: MessagePort,
    private readonly context: RunContext,
  ) {
    port.on('message', (message: FromThread) => this.receive(message));
    const { signal } = context;
    const abort = (): void => this.send({ kind: 'abort', reason: packThrown(signal.reason) });
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  }

  /** Returns the handler's result, or throws its error. Call it once the thread has finished. */
  result(): unknown {
    for (let next = this.next(); next !== undefined; next = this.next()) this.receive(next);
    if (this.reply?.kind === 'returned') return this.reply.result;
    throw this.reply === undefined
      ? new Error('The thread ended without an answer.')
      : unpackThrown(this.reply.thrown);
  }

  close(): void {
    this.port.close();
  }

  private next(): FromThread | undefined {
    const received: { message: FromThread } | undefined = receiveMessageOnPort(this.port);
    return received?.message;
  }

  private send(message: ToThread): void {
    this.port.postMessage(message);
  }

  private receive(message: FromThread): void {
    switch (message.kind) {
      case 'progress':
        this.report(message.progress);
        break;
      case 'log':
        this.log(message.line);
        break;
      case 'enqueue':
        void this.answer(message.call, () => this.enqueue(message));
        break;
      case 'previous':
        void this.answer(message.call, () => this.context.previous());
        break;
      case 'start_workflow':
        void this.answer(message.call, () => this.context.startWorkflow(message.definition, message.options));
        break;
      case 'returned':
      case 'threw':
        this.reply = message;
        break;
    }
  }

  private report({ done, total, note }: TaskProgress): void {
    this.context.progress(done, total, note ?? undefined);
  }

  private log(line: string): void {
    const { level, message, fields } = parseLogLine(line);
    // The main thread adds the time.
    this.context.logger[level](fields, message);
  }

  private async enqueue({ queue, task, payload, options }: EnqueueCall): Promise<Enqueued> {
    // The thread has checked the payload against the real contract.
    const contract = defineTask({ name: task, queue, input: z.unknown(), output: z.unknown() });
    return this.context.enqueue(contract, payload, options);
  }

  private async answer(call: number, work: () => Promise<unknown>): Promise<void> {
    try {
      this.send({ kind: 'answered', call, answer: await work() });
    } catch (error) {
      this.send({ kind: 'refused', call, thrown: packThrown(error) });
    }
  }
}
