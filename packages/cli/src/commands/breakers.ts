import type { Breaker } from '@stratum/jobs';
import { localApplication } from '../application.js';
import { withClient } from '../client-session.js';
import { durationText } from '../duration.js';
import { didYouMean } from '../frame/near-names.js';
import { typed } from '../frame/invocation.js';
import { printJson, printTable } from '../output.js';
import { printCircuits } from './circuit-table.js';

interface JsonOption {
  json?: boolean;
}

export async function listBreakers({ json }: JsonOption): Promise<void> {
  const { tasks } = await localApplication();
  const circuits = await withClient(({ client }) => client.control.circuits());
  const breakers = tasks.flatMap(({ name: task, breaker }) =>
    breaker === undefined ? [] : [{ task, breaker }],
  );
  if (json) {
    printJson({
      breakers: breakers.map(({ task, breaker }) => ({
        task,
        service: breaker.service,
        key: keyOf(breaker),
        failures: breaker.failures,
        window_ms: breaker.windowMs,
        pause_ms: breaker.pauseMs,
        longest_pause_ms: breaker.longestPauseMs,
        probes: breaker.probes,
      })),
      circuits: circuits.map(({ line: _line, ...circuit }) => circuit),
    });
    return;
  }
  if (breakers.length === 0) console.log('No contract declares a circuit breaker.');
  else
    printTable(
      ['service', 'key', 'task', 'opens after', 'pause', 'longest'],
      breakers.map(({ task, breaker }) => [
        breaker.service,
        keyOf(breaker),
        task,
        `${breaker.failures} failures in ${durationText(breaker.windowMs)}`,
        durationText(breaker.pauseMs),
        durationText(breaker.longestPauseMs),
      ]),
    );
  if (circuits.length === 0) return;
  console.log();
  printCircuits(circuits);
}

export async function openBreaker(
  service: string,
  key: string | undefined,
  { json }: JsonOption,
): Promise<void> {
  const options = await optionsFor(service, key);
  await withClient(({ client }) => client.control.openCircuit(service, options));
  if (json) printJson({ service, key: key ?? null, state: 'held' });
  else
    console.log(
      `The circuit of ${nameOf(service, key)} is open. Close it with: ${typed(`breakers close ${nameOf(service, key)}`)}`,
    );
}

export async function closeBreaker(
  service: string,
  key: string | undefined,
  { json }: JsonOption,
): Promise<void> {
  const options = await optionsFor(service, key);
  await withClient(({ client }) => client.control.closeCircuit(service, options));
  if (json) printJson({ service, key: key ?? null, state: 'closed' });
  else console.log(`The circuit of ${nameOf(service, key)} is closed.`);
}

/** A key where contracts have one circuit for each, and none where they have one for the service. */
async function optionsFor(service: string, key: string | undefined): Promise<{ key?: string }> {
  const { tasks } = await localApplication();
  const breakers = tasks.flatMap(({ breaker }) => breaker ?? []);
  const own = breakers.filter((breaker) => breaker.service === service);
  if (own.length === 0) {
    const names = [...new Set(breakers.map((breaker) => breaker.service))];
    const advice = didYouMean(service, names, `List the services with: ${typed('breakers list')}`);
    throw new Error(`No contract names the service "${service}". ${advice}`);
  }
  if (key === undefined && !own.some((breaker) => breaker.key === undefined))
    throw new Error(`The service ${service} has a circuit for each ${keyOf(own[0])}. Name one.`);
  if (key !== undefined && !own.some((breaker) => breaker.key !== undefined))
    throw new Error(`The service ${service} has one circuit. Leave out the key "${key}".`);
  return key === undefined ? {} : { key };
}

function keyOf(breaker: Breaker | undefined): string {
  if (breaker?.key === undefined) return '';
  return breaker.key.paths?.join(', ') ?? 'key of a function';
}

function nameOf(service: string, key: string | undefined): string {
  return key === undefined ? service : `${service} ${key}`;
}
