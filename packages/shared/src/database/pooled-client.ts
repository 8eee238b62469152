/** Connections through a pooler, such as PgBouncer, that gives each transaction another session of the server. */
import { Client } from 'pg';

const PARAMETER = 'pooling';
const MODES = ['session', 'transaction'];

/** Takes `?pooling=transaction` out of an address. @throws Error for another value */
export function connectionOf(address: string): { url: string; isPooled: boolean } {
  const url = new URL(address);
  const mode = url.searchParams.get(PARAMETER);
  if (mode === null) return { url: address, isPooled: false };
  if (!MODES.includes(mode))
    throw new Error(`DATABASE_URL: ${PARAMETER} is "${mode}"; it must be one of ${MODES.join(', ')}.`);
  url.searchParams.delete(PARAMETER);
  return { url: url.href, isPooled: mode === 'transaction' };
}

/** A statement that was prepared under a name is in another session the next time. */
export class PooledClient extends Client {
  constructor(config?: ConstructorParameters<typeof Client>[0]) {
    super(config);
    const query: (...args: unknown[]) => unknown = this.query.bind(this);
    // The declared overloads are too many to repeat; the arguments are passed on as they came.
    Object.defineProperty(this, 'query', {
      value: (first: unknown, ...rest: unknown[]) => query(unnamed(first), ...rest),
    });
  }
}

function unnamed(query: unknown): unknown {
  if (typeof query !== 'object' || query === null || !('name' in query) || 'submit' in query) return query;
  return { ...query, name: undefined };
}
