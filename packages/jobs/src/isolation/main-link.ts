/** The thread's end of the channel to the main thread, for one attempt. */
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import type { Enqueued } from '../message/enqueued.js';
import type { EnqueueOptions } from '../message/compose-task.js';
import { askingSignal } from '../worker/asking-signal.js';
import { toJsonValue } from '../values/any-value.js';
import type { WorkflowDefinition } from '../workflow/definition.js';
import type { StartWorkflowOptions, WorkflowStarted } from '../workflow/start.js';
import type { FromThread, ToThread } from './protocol.js';
import { packThrown, unpackThrown } from './thrown.js';

interface Call {
  resolve: (answer: unknown) => void;
  reject: (reason: unknown) => void;
}

export class MainLink {
  private readonly controller = new AbortController();
  private readonly calls = new Map<number, Call>();
  private lastCall = 0;

  constructor(private readonly port: MessagePort) {
    port.on('message', (message: ToThread) => this.receive(message));
  }

  readonly signal = askingSignal(this.controller, () => this.receiveAll());

  send(message: FromThread): void {
    this.port.postMessage(message);
  }

  enqueue(queue: string, task: string, payload: unknown, options: EnqueueOptions): Promise<Enqueued> {
    return this.ask<Enqueued>((call) => ({ kind: 'enqueue', call, queue, task, payload, options }));
  }

  previous(): Promise<unknown> {
    return this.ask((call) => ({ kind: 'previous', call }));
  }

  startWorkflow(definition: WorkflowDefinition, options: StartWorkflowOptions): Promise<WorkflowStarted> {
    return this.ask<WorkflowStarted>((call) => ({ kind: 'start_workflow', call, definition, options }));
  }

  returned(result: unknown): void {
    try {
      this.send({ kind: 'returned', result });
    } catch {
      // A function, a proxy, or a getter that throws: the record keeps what JSON can carry anyway.
      this.send({ kind: 'returned', result: toJsonValue(result) });
    }
  }

  threw(error: unknown): void {
    this.send({ kind: 'threw', thrown: packThrown(error) });
  }

  /** @template Answer the main thread's answer to this kind of call */
  private ask<Answer>(question: (call: number) => FromThread): Promise<Answer> {
    const call = ++this.lastCall;
    return new Promise<Answer>((resolve, reject) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- both ends are ours
      this.calls.set(call, { resolve: resolve as (answer: unknown) => void, reject });
      this.send(question(call));
    });
  }

  private receiveAll(): void {
    for (let next = this.next(); next !== undefined; next = this.next()) this.receive(next);
  }

  private next(): ToThread | undefined {
    const received: { message: ToThread } | undefined = receiveMessageOnPort(this.port);
    return received?.message;
  }

  private receive(message: ToThread): void {
    if (message.kind === 'abort') {
      this.controller.abort(unpackThrown(message.reason));
      return;
    }
    const call = this.calls.get(message.call);
    this.calls.delete(message.call);
    if (message.kind === 'answered') call?.resolve(message.answer);
    else call?.reject(unpackThrown(message.thrown));
  }
}
