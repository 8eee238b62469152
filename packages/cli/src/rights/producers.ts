/** Programs that are not trusted: each has an account of its own, which imports services and nothing else. */
import { readFile } from 'node:fs/promises';
import type { Names, TaskContract } from '@stratum/jobs';
import { z } from 'zod';
import type { Export } from './service-rights.js';

export const PRODUCERS_FILE = 'producers.json';

const producerSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,31}$/, 'must be 1 to 32 of a-z, 0-9 and "_", and begin with a letter'),
  tenant: z.int().positive(),
  /** Names of tasks that tenants may enqueue. */
  tasks: z.array(z.string()).min(1),
  login: z.enum(['password', 'nkey']),
  /** Most connections at once; each that does not read what it is sent costs the server up to 64 MB for ten seconds. */
  connections: z.int().min(1).max(10_000).default(32),
});
export type Producer = z.infer<typeof producerSchema>;

/** @throws Error that names the file and the field */
export async function readProducers(file: string, contracts: readonly TaskContract[]): Promise<Producer[]> {
  const parsed = z.array(producerSchema).safeParse(JSON.parse(await readFile(file, 'utf8')));
  if (!parsed.success) throw new Error(`${file}: ${z.prettifyError(parsed.error)}`);
  const known = contracts.map(({ name }) => name);
  for (const { name, tasks } of parsed.data)
    for (const task of tasks)
      if (!known.includes(task))
        throw new Error(
          `${file}: producer "${name}" names the task "${task}"; tenants may enqueue: ${known.join(', ')}.`,
        );
  const names = parsed.data.map(({ name }) => name);
  const twice = names.find((name, place) => names.indexOf(name) !== place);
  if (twice !== undefined) throw new Error(`${file}: two producers have the name "${twice}".`);
  return parsed.data;
}

/** The subjects that a producer may use, all of them for its tenant. */
export function producerImports(
  names: Names,
  { tenant, tasks }: Producer,
  contracts: readonly TaskContract[],
): Export[] {
  const own = String(tenant);
  const asked = contracts.filter(({ name }) => tasks.includes(name));
  return [
    ...asked.map(({ name: task, queue }): Export => {
      const subject = names.enqueueSubject({ tenant: own, queue, priority: '*', task, id: '*' });
      return { kind: 'service', subject };
    }),
    { kind: 'service', subject: names.awaitSubject(own, '*') },
    { kind: 'stream', subject: `${names.prefix}.domain.${own}.>` },
  ];
}

/** What the platform's account offers to producers. */
export function producerExports(names: Names): Export[] {
  return [
    { kind: 'service', subject: names.enqueueFilter },
    { kind: 'service', subject: names.awaitSubject('*', '*') },
    { kind: 'stream', subject: `${names.prefix}.domain.>` },
  ];
}
