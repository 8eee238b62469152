import type { TaskContract } from '@stratum/jobs';
import { localApplication } from '../application.js';
import { payloadSchema } from '@stratum/shared';
import { resultSchema } from '../contracts/json-schemas.js';
import { typed } from '../frame/invocation.js';
import { printJson, printTable, styled, wrapped } from '../output.js';
import { requireQueue } from '../queue-lookup.js';
import { fieldsOf, type Field } from '../schema-view.js';
import { findTask } from '../task-contracts.js';

interface JsonOption {
  json?: boolean;
}

export async function list({ queue, json }: { queue?: string } & JsonOption): Promise<void> {
  const { tasks } = await localApplication();
  const contracts = tasks.filter((contract) => queue === undefined || contract.queue === queue);
  if (contracts.length === 0)
    requireQueue(
      tasks.map((contract) => ({ name: contract.queue })),
      queue,
    );
  if (json) printJson(contracts.map((contract) => factsOf(contract)));
  else
    printTable(
      ['task', 'queue', wrapped('description')],
      contracts.map((contract) => [contract.name, contract.queue, contract.description]),
    );
}

export async function show(name: string, { json }: JsonOption): Promise<void> {
  const contract = await findTask(name);
  const payload = payloadSchema(contract, 'draft-2020-12');
  const result = resultSchema(contract, 'draft-2020-12');
  if (json) {
    printJson({ ...factsOf(contract), payload, result });
    return;
  }
  const { retry, limits } = contract;
  console.log(`${styled('bold', contract.name)}  queue ${contract.queue}, ${contract.priority} priority`);
  console.log(`${contract.description}\n`);
  const retries = retry.maxRetries === undefined ? 'retries as configured' : `${retry.maxRetries} retries`;
  console.log(
    `  ${retries}, soft limit ${seconds(limits.softTimeLimitMs)}, hard limit ${seconds(limits.timeLimitMs)}\n`,
  );
  printFields('Payload', fieldsOf(payload));
  console.log();
  printFields('Result', fieldsOf(result));
  console.log(`\n  ${typed(`call ${name} '${JSON.stringify(exampleOf(fieldsOf(payload)))}' --wait`)}`);
}

function factsOf({
  name,
  queue,
  priority,
  description,
  retry,
  limits,
}: TaskContract): Record<string, unknown> {
  return {
    name,
    queue,
    priority,
    description,
    max_retries: retry.maxRetries ?? null,
    soft_time_limit_ms: limits.softTimeLimitMs ?? null,
    time_limit_ms: limits.timeLimitMs ?? null,
  };
}

function printFields(title: string, fields: readonly Field[]): void {
  if (fields.length === 0) {
    console.log(`${title}: no fields.`);
    return;
  }
  console.log(`${title}:`);
  printTable(
    ['field', wrapped('type'), 'required', wrapped('notes')],
    fields.map(({ name, type, required, notes }) => [name, type, required ? 'yes' : 'no', notes]),
  );
}

/** Something of the right kind for each field that must be there. */
function exampleOf(fields: readonly Field[]): Record<string, unknown> {
  const required = fields.filter((field) => field.required && !field.name.includes('.'));
  return Object.fromEntries(required.map((field) => [field.name, sample(field)]));
}

function sample({ type, values }: Field): unknown {
  if (values[0] !== undefined) return values[0];
  if (type.startsWith('integer') || type.startsWith('number')) return 1;
  if (type === 'string (date)') return new Date().toISOString().slice(0, 10);
  if (type === 'string (date-time)') return new Date().toISOString();
  if (type.startsWith('list')) return [];
  return type.startsWith('string') ? '…' : {};
}

function seconds(milliseconds: number | undefined): string {
  return milliseconds === undefined ? 'as configured' : `${milliseconds / 1000} s`;
}
