/**
 * Blocks with the `nats` command, which no package registry of this project offers. Bash takes their words apart, and the client library
 * sends the same subjects, headers and bodies to a broker with a worker.
 */
import { jetstream } from '@nats-io/jetstream';
import { headers as newHeaders } from '@nats-io/transport-node';
import { createResultResponder, createWorkflowMaintenance, defineTask, handleTask } from '@stratum/jobs';
import { startTestBroker, type TestBroker } from '@stratum/jobs/testing';
import { expect, inject, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { runProgram } from '../cli/stratum.js';
import { waitFor } from '../harness/index.js';
import { readPages } from './page-blocks.js';

const WORD = '\u001F';
const COMMAND = '\u001E';
/** `nats` prints its words; the address of the local stack is not needed. */
const PROLOGUE = `set -euo pipefail
npx() { :; }; node() { :; }
nats() { printf '%s${WORD}' "$@"; printf '${COMMAND}'; }
`;

interface Command {
  readonly verb: string;
  readonly words: readonly string[];
  readonly headers: readonly string[];
}

async function commandsOf(code: string): Promise<Command[]> {
  const { code: exit, stdout, stderr } = await runProgram('bash', ['-c', PROLOGUE + code]);
  expect(exit, stderr).toBe(0);
  return stdout
    .split(COMMAND)
    .slice(0, -1)
    .map((line) => {
      const [verb = '', ...rest] = line.split(WORD).slice(0, -1);
      const words: string[] = [];
      const headers: string[] = [];
      for (let at = 0; at < rest.length; at++) {
        const word = rest[at] ?? '';
        if (word === '-H') headers.push(rest[++at] ?? '');
        else if (word === '--timeout') at++;
        else if (word.startsWith('-')) throw new Error(`"nats ${verb}" with the unknown option ${word}`);
        else words.push(word);
      }
      return { verb, words, headers };
    });
}

const input = z.object({ tenant_id: z.int(), platform: z.string().optional() });
const handlers = [['sync_campaign_data', 'sync'] as const, ['evaluate_rules', 'rules'] as const].map(
  ([name, queue]) => handleTask(defineTask({ name, queue, input, output: z.object({}) }), () => ({})),
);

async function openBroker(): Promise<TestBroker> {
  const broker = await startTestBroker({
    queues: [{ name: 'sync' }, { name: 'rules' }],
    binary: inject('natsBinary'),
  });
  onTestFinished(() => broker.stop());
  const { connection, topology, client } = broker;
  const contracts = handlers.map(({ contract }) => contract);
  const parts = [
    createResultResponder({ connection, topology, client }),
    createWorkflowMaintenance({ connection, topology, contracts }),
  ];
  for (const part of parts) part.start();
  onTestFinished(async () => void (await Promise.all(parts.map((part) => part.stop()))));
  broker.worker(handlers);
  return broker;
}

/** In place of the API, whose responder has tests of its own: it stores the task under the producer's id. */
async function enqueue(
  { client }: TestBroker,
  subject: string,
  body: string,
  headers: readonly string[],
): Promise<unknown> {
  const [, , tenant = '', queue = '', , task = '', id = ''] = subject.split('.');
  const notBefore = headers.find((header) => header.startsWith('Task-Not-Before:'))?.split(':')[1];
  const eta = notBefore === undefined ? {} : { eta: new Date(Number(notBefore)) };
  return client.publish(queue, task, JSON.parse(body), { id, tenant, ...eta });
}

/** What the command would print. */
async function run(broker: TestBroker, { verb, words, headers }: Command): Promise<unknown> {
  const { connection } = broker;
  const [first = '', second = '', third = ''] = words;
  if (first.startsWith('stratum.enqueue.')) return enqueue(broker, first, second, headers);
  if (verb === 'pub') return connection.publish(first, second);
  if (verb === 'request') {
    const sent = newHeaders();
    for (const header of headers) {
      const colon = header.indexOf(':');
      sent.set(header.slice(0, colon), header.slice(colon + 1));
    }
    return (await connection.request(first, second, { headers: sent, timeout: 60_000 })).json();
  }
  if (verb !== 'kv' || first !== 'get') throw new Error(`The test does not know "nats ${verb} ${first}".`);
  const bucket = await jetstream(connection).streams.get(`KV_${second}`);
  return waitFor(`${third} in ${second}`, async () =>
    (await bucket.getMessage({ last_by_subj: `$KV.${second}.${third}` }))?.json(),
  );
}

test.each((await readPages()).filter(({ text }) => text.includes('<!-- needs: nats -->')))(
  'commands of $name reach a worker',
  async ({ blocks }) => {
    const broker = await openBroker();
    const natsBlocks = blocks.filter(
      ({ directive }) => directive.kind === 'run' && directive.needs.includes('nats'),
    );
    const commands = (await Promise.all(natsBlocks.map(({ code }) => commandsOf(code)))).flat();
    expect(commands.length).toBeGreaterThan(1);
    for (const command of commands) {
      const answer = await run(broker, command);
      const [subject = ''] = command.words;
      if (subject.startsWith('stratum.tasks.') && command.verb === 'request')
        expect(answer).toMatchObject({ stream: 'QUEUE_SYNC', seq: expect.any(Number) });
      if (subject.startsWith('stratum.await.')) expect(answer).toMatchObject({ state: 'SUCCESS' });
      if (command.verb === 'kv') expect(answer).toMatchObject({ state: expect.any(String) });
    }
    // One with a header of its own waits for its time.
    if (commands.some(({ headers }) => headers.some((header) => header.startsWith('Task-Not-Before'))))
      expect(await broker.client.status('my-id-2')).toMatchObject({ state: 'SCHEDULED' });
    // A workflow that was published runs to its end.
    if (commands.some(({ words }) => words[0]?.includes('.workflows.start.')))
      expect(await broker.client.workflows.result('report-7')).toMatchObject({ state: 'SUCCESS' });
  },
);
