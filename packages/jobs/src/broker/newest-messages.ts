/** Reads the newest messages of many subjects with few requests. Whoever reads one at a time sends one request for each. */
import type { NatsConnection } from '@nats-io/nats-core';
import { readNewest, type StoredMessage } from './batch.js';
import { Gathering } from './gathering.js';
import type { StreamMessage } from './stored-message.js';

interface Question {
  readonly filter: string;
  readonly resolve: (message: StreamMessage | undefined | Promise<StreamMessage | undefined>) => void;
}

type ReadOne = (stream: string, filter: string) => Promise<StreamMessage | undefined>;

/** Filters of one request. */
const MOST_FILTERS = 128;
/** Afterwards each is asked for by itself, which knows how to wait for a server. */
const PATIENCE = { timeoutMs: 500, tries: 1 };

export class NewestMessages {
  private readonly questions = new Map<string, Gathering<Question>>();

  constructor(
    private readonly connection: NatsConnection,
    private readonly readOne: ReadOne,
  ) {}

  read(stream: string, filter: string): Promise<StreamMessage | undefined> {
    let questions = this.questions.get(stream);
    if (questions === undefined) {
      questions = new Gathering(MOST_FILTERS, (gathered) => this.answer(stream, gathered));
      this.questions.set(stream, questions);
    }
    const gathering = questions;
    return new Promise((resolve) => gathering.add({ filter, resolve }));
  }

  private async answer(stream: string, questions: readonly Question[]): Promise<void> {
    const filters = [...new Set(questions.map(({ filter }) => filter))];
    const found =
      filters.length === 1
        ? undefined
        : await readNewest(this.connection, stream, filters, PATIENCE).catch(() => undefined);
    const newest = found && newestByFilter(filters, found);
    for (const { filter, resolve } of questions)
      // Not awaited: one that takes long holds up no other.
      resolve(newest === undefined ? this.readOne(stream, filter) : newest.get(filter));
  }
}

function newestByFilter(
  filters: readonly string[],
  messages: readonly StoredMessage[],
): ReadonlyMap<string, StoredMessage> {
  // In the order of their sequences: the last one wins.
  const newest = new Map(messages.map((message) => [message.subject, message]));
  for (const filter of filters) {
    if (!filter.includes('*')) continue;
    const pattern = filter.split('.');
    for (const message of messages) if (isMatch(pattern, message.subject)) newest.set(filter, message);
  }
  return newest;
}

function isMatch(pattern: readonly string[], subject: string): boolean {
  const tokens = subject.split('.');
  return tokens.length === pattern.length && pattern.every((each, at) => each === '*' || each === tokens[at]);
}
