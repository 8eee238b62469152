/** The values that are known for an argument's or an option's name. Those of a running stack are asked for, briefly. */
import { connectToNats, createClient, openSchedules, type JobsClient } from '@stratum/jobs';
import {
  loadConfiguration,
  platformTopology,
  QUEUES,
  TASKS,
  TOPOLOGY_SETTINGS,
  type Configuration,
} from '@stratum/shared';
import { ALL_SCOPES } from '@stratum/shared/api-keys';
import { visible } from '../frame/frame.js';
import { localEnvironment } from '../environment.js';
import { payloadSchema } from '../contracts/json-schemas.js';
import { fieldsOf } from '../schema-view.js';
import type { Candidate, CommandLine, ValueSource } from './candidates.js';

/** Nobody waits longer for the Tab key. */
const ANSWER_WITHIN_MS = 1_000;

const plain = (value: string): Candidate => ({ value, description: '' });

const SOURCES: Readonly<
  Record<string, (line: CommandLine) => Promise<readonly Candidate[]> | readonly Candidate[]>
> = {
  task: () => TASKS.map(({ name, description }) => ({ value: name, description })),
  queue: () => QUEUES.map(({ name }) => plain(name)),
  queues: () => QUEUES.map(({ name }) => plain(name)),
  scopes: () => ALL_SCOPES.map(plain),
  zone: () => Intl.supportedValuesOf('timeZone').map(plain),
  'name=value': fields,
  command: commandsBelow,
  entry: () => ask(entries),
  worker: () => ask(workers),
};

export const knownValues: ValueSource = async (term, line) => (await SOURCES[term]?.(line)) ?? [];

/** `platform=meta`: the fields of the task that is called, and their values where they are few. */
function fields({ operands: [name] }: CommandLine): readonly Candidate[] {
  const contract = TASKS.find((task) => task.name === name);
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

interface Asked {
  connection: Awaited<ReturnType<typeof connectToNats>>;
  topology: ReturnType<typeof platformTopology>;
}

async function entries({ connection, topology }: Asked): Promise<readonly Candidate[]> {
  const schedules = openSchedules({ connection, topology, contracts: TASKS });
  try {
    return (await schedules.list()).map(({ name, task }) => ({ value: name, description: task }));
  } finally {
    await schedules.close();
  }
}

async function workers({ connection, topology }: Asked): Promise<readonly Candidate[]> {
  const client: JobsClient = createClient({ connection, topology });
  try {
    return (await client.control.workers()).map(({ name, queues }) => ({
      value: name,
      description: queues.join(', '),
    }));
  } finally {
    await client.close();
  }
}

/** Nothing where no stack answers in time: completion is no place for errors. */
async function ask(question: (asked: Asked) => Promise<readonly Candidate[]>): Promise<readonly Candidate[]> {
  const late = new Promise<readonly Candidate[]>((resolve) => {
    setTimeout(() => resolve([]), ANSWER_WITHIN_MS).unref();
  });
  return Promise.race([late, answer(question).catch(() => [])]);
}

async function answer(
  question: (asked: Asked) => Promise<readonly Candidate[]>,
): Promise<readonly Candidate[]> {
  const settings: Pick<Configuration, 'NATS_URL' | 'NATS_CREDS' | (typeof TOPOLOGY_SETTINGS)[number]> =
    loadConfiguration(['NATS_URL', 'NATS_CREDS', ...TOPOLOGY_SETTINGS], await localEnvironment());
  const connection = await connectToNats({
    servers: settings.NATS_URL,
    name: 'stratum-completion',
    timeoutMs: ANSWER_WITHIN_MS,
    ...(settings.NATS_CREDS === undefined ? {} : { credsFile: settings.NATS_CREDS }),
  });
  try {
    return await question({ connection, topology: platformTopology(settings) });
  } finally {
    await connection.close();
  }
}
