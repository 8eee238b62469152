/** What people do with operations: in the dashboard, over HTTP and by command, by this code. */
import { invalid, notFound, ProblemError } from '../http/index.js';
import type { AuditAction } from '../audit/actions.js';
import { parsedQuery } from '../task-history/query-problem.js';
import { findItems, type Sources, type Verb } from './find-items.js';
import {
  changeOperation,
  draftOperation,
  findOperation,
  listOperations,
  type Operation,
  type OperationDetail,
  type OperationState,
} from './store.js';

/** Tasks a second. */
export const MAX_RATE = 500;
export const DEFAULT_RATE = 50;
export const MAX_QUERY_LENGTH = 1_000;
/** Before the first task is touched. */
const BEGINS_IN_MS = 10_000;
/** More are discarded only by whoever types their number. */
export const TYPED_ABOVE = 100;

export type OperationAction = 'pause' | 'resume' | 'stop' | 'undo';

/** Writes to the audit log, before the effect. */
export type RecordOperation = (change: {
  action: AuditAction;
  subject: string;
  details?: Record<string, unknown>;
}) => Promise<void>;

const CHANGES = {
  pause: { action: 'operation.paused', from: ['running'], to: 'paused' },
  resume: { action: 'operation.resumed', from: ['paused'], to: 'running' },
  stop: { action: 'operation.stopped', from: ['running', 'paused'], to: 'stopped' },
  undo: { action: 'operation.undone', from: ['stopped', 'ended'], to: 'undoing' },
} as const satisfies Record<
  OperationAction,
  { action: AuditAction; from: readonly OperationState[]; to: OperationState }
>;

export interface StartOptions {
  /** Most tasks a second. Default 50. */
  rate?: number | undefined;
  /** The number of letters, typed, where more than 100 are discarded. */
  confirm?: string | undefined;
  /** Who starts it: who has seen the dry run. */
  actor: string;
  /** Whether they may change dead letters. */
  mayChangeLetters: boolean;
}

export class Operations {
  constructor(private readonly sources: Sources) {}

  /** The newest first; at most 100. */
  list(): Promise<Operation[]> {
    return listOperations(this.sources.pool);
  }

  /** @throws ProblemError `not-found` */
  async find(id: string): Promise<OperationDetail> {
    const found = await findOperation(this.sources.pool, id);
    if (found === undefined) throw notFound(`The operation "${id}"`);
    return found;
  }

  /** Finds the tasks and stores them; nothing is done yet. @param field of the request that has the search */
  async dryRun(
    field: string,
    wanted: { verb: Verb; query: string; actor: string },
  ): Promise<OperationDetail> {
    const { verb, query } = wanted;
    if (query === '') throw invalid(field, 'must say which tasks: a search of everything is not offered');
    const found = await findItems(this.sources, verb, parsedQuery(field, query));
    return this.find(await draftOperation(this.sources.pool, { ...wanted, found }));
  }

  /** @throws ProblemError `conflict` unless it is a draft, `forbidden`, `invalid` */
  async start(id: string, options: StartOptions, record: RecordOperation): Promise<OperationDetail> {
    const { rate = DEFAULT_RATE, confirm, actor, mayChangeLetters } = options;
    const { verb, query, counted, actor: seenBy, state } = await this.find(id);
    requireState(state, ['draft']);
    requireLetters(verb, mayChangeLetters);
    if (seenBy !== actor)
      throw new ProblemError(
        'forbidden',
        'Somebody else has looked at it. Start a dry run of your own, and look at that.',
      );
    if (verb === 'discard' && counted > TYPED_ABOVE && confirm !== String(counted))
      throw invalid('body.confirm', `must be the number of letters, "${counted}"`);
    await record({
      action: 'operation.started',
      subject: `operation/${id}`,
      details: { verb, query, tasks: counted, rate },
    });
    return this.change(id, { from: ['draft'], to: 'running', rate, beginsInMs: BEGINS_IN_MS });
  }

  /** @throws ProblemError `conflict` in another state, `forbidden` */
  async act(
    id: string,
    name: OperationAction,
    mayChangeLetters: boolean,
    record: RecordOperation,
  ): Promise<OperationDetail> {
    const { action, from, to } = CHANGES[name];
    const { state, verb, undo_until: undoUntil } = await this.find(id);
    requireState(state, from);
    requireLetters(verb, mayChangeLetters);
    if (name === 'undo' && undoUntil === null)
      throw new ProblemError(
        'conflict',
        'There is nothing to undo: only discarded letters can be put back, for a day after the operation has ended.',
      );
    await record({ action, subject: `operation/${id}` });
    return this.change(id, { from, to });
  }

  private async change(id: string, wanted: Parameters<typeof changeOperation>[2]): Promise<OperationDetail> {
    // Somebody else may have been quicker.
    const isChanged = await changeOperation(this.sources.pool, id, wanted);
    const now = await this.find(id);
    if (!isChanged) requireState(now.state, []);
    return now;
  }
}

/** Before it is audited. */
function requireState(state: OperationState, wanted: readonly OperationState[]): void {
  if (!wanted.includes(state)) throw new ProblemError('conflict', `The operation is ${state}.`);
}

function requireLetters(verb: Verb, mayChangeLetters: boolean): void {
  if (verb !== 'cancel' && !mayChangeLetters)
    throw new ProblemError('forbidden', 'An operation on dead letters needs the scope "dead-letters:write".');
}
