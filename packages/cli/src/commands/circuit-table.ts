import type { CircuitView } from '@stratum/jobs';
import { ago, optional, printTable } from '../output.js';

export function printCircuits(circuits: readonly CircuitView[]): void {
  printTable(
    ['service', 'key', 'state', 'since', 'next try', 'waiting', optional('last failure')],
    circuits.map((circuit) => [
      circuit.service,
      circuit.key,
      circuit.state,
      circuit.opened_at === null ? null : ago(circuit.opened_at),
      circuit.retry_at,
      circuit.waiting,
      circuit.error === '' ? null : circuit.error,
    ]),
  );
}
