/** Names of circuits. Without schemas: commands that show circuits start faster. */
import { keyToken } from '../task/key-text.js';

const NO_KEY = '_';

/** `<service>.<key as a token>`; a service without keys has one circuit. */
export function circuitId(service: string, key: string | undefined): string {
  return `${service}.${key === undefined ? NO_KEY : keyToken(key)}`;
}

/** Where the tasks of a circuit wait, as their header `Task-Key-Wait` says: no name of a task has such a character. */
export function circuitLine(circuit: string): string {
  return `circuit=.${circuit}`;
}
