import { keyToken } from '../task/payload-key.js';

const NO_KEY = '_';

/** `<service>.<key as a token>`; a service without keys has one circuit. */
export function circuitId(service: string, key: string | undefined): string {
  return `${service}.${key === undefined ? NO_KEY : keyToken(key)}`;
}
