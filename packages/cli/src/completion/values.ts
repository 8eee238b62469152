/** The values that are known for an argument's or an option's name. Those of a running stack are asked for, briefly. */
import { openSchedules } from '@stratum/jobs';
import { openMonitor } from '@stratum/jobs/monitor';
import { loadConfiguration, QUEUES, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { ALL_SCOPES } from '@stratum/shared/api-keys';
import { visible } from '../frame/frame.js';
import { localApplication, tasksOf } from '../application.js';
import { withBroker, type BrokerSession } from '../broker-session.js';
import { payloadSchema } from '@stratum/shared';
import { fieldsOf } from '../schema-view.js';
import type { Candidate, CommandLine, ValueSource } from './candidates.js';

/** Nobody waits longer for the Tab key. */
const ANSWER_WITHIN_MS = 1_000;

const plain = (value: string): Candidate => ({ value, description: '' });

const SOURCES: Readonly<
  Record<string, (line: CommandLine) => Promise<readonly Candidate[]> | readonly Candidate[]>
> = {
  task: async () =>
    (await localApplication()).tasks.map(({ name, description }) => ({ value: name, description })),
  queue: queueNames,
  queues: () => QUEUES.map(({ name }) => plain(name)),
  scopes: () => ALL_SCOPES.map(plain),
  zone: () => Intl.supportedValuesOf('timeZone').map(plain),
  'name=value': fields,
  command: commandsBelow,
  entry: () => ask(entries),
  worker: () => ask(workers),
};

export const knownValues: ValueSource = async (term, line) => (await SOURCES[term]?.(line)) ?? [];

/** Of the application. Workers of the platform, which the option `--queues` is for, serve its own. */
async function queueNames(): Promise<readonly Candidate[]> {
  const application = await localApplication();
  const { queues } = application.topology(loadConfiguration(TOPOLOGY_SETTINGS, {}));
  return queues.map(({ name }) => plain(name));
}

/** `platform=meta`: the fields of the task that is called, and their values where they are few. */
async function fields({ operands: [name] }: CommandLine): Promise<readonly Candidate[]> {
  const { tasks } = await localApplication();
  const contract = tasks.find((task) => task.name === name);
  if (contract === undefined) return [];
  return fieldsOf(payloadSchema(contract, 'draft-2020-12'))
    .filter((field) => !field.name.includes('.'))
    .flatMap(({ name: field, type, values }) =>
      values.length === 0
        ? [{ value: `${field}=`, description: type }]
        : values.map((value) => plain(`${field}=${value}`)),
    );
}

/** What `stratum help` takes. */
function commandsBelow({ command, operands }: CommandLine): readonly Candidate[] {
  let below = command;
  while (below.parent !== null) below = below.parent;
  for (const word of operands) {
    const found = below.commands.find((each) => each.name() === word);
    if (found === undefined) return [];
    below = found;
  }
  return visible(below).map((each) => ({ value: each.name(), description: each.description() }));
}

async function entries({ connection, topology }: BrokerSession): Promise<readonly Candidate[]> {
  const schedules = openSchedules({ connection, topology, contracts: await tasksOf(topology) });
  try {
    return (await schedules.list()).map(({ name, task }) => ({ value: name, description: task }));
  } finally {
    await schedules.close();
  }
}

async function workers(session: BrokerSession): Promise<readonly Candidate[]> {
  const monitor = openMonitor(session);
  try {
    return (await monitor.workers()).map(({ name, queues }) => ({
      value: name,
      description: queues.join(', '),
    }));
  } finally {
    await monitor.close();
  }
}

/** Empty when no stack answers in time: completion reports no errors. */
async function ask(
  question: (session: BrokerSession) => Promise<readonly Candidate[]>,
): Promise<readonly Candidate[]> {
  const late = new Promise<readonly Candidate[]>((resolve) => {
    setTimeout(() => resolve([]), ANSWER_WITHIN_MS).unref();
  });
  const answer = withBroker(question, { timeoutMs: ANSWER_WITHIN_MS }).catch(() => []);
  return Promise.race([late, answer]);
}
