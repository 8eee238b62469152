/** A connection whose process "dies" after so many steps: from then on nothing it sends reaches anybody. */
import type { NatsConnection } from '@nats-io/transport-node';

export interface DyingConnection {
  connection: NatsConnection;
  isDead(): boolean;
}

/** @param counts the steps: the sends that change something for others */
export function dyingAfter(
  alive: NatsConnection,
  steps: number,
  counts: (subject: string) => boolean,
): DyingConnection {
  let sent = 0;
  const dies = (subject: string): boolean => {
    if (counts(subject)) sent++;
    return sent > steps;
  };
  const overridden: Pick<NatsConnection, 'publish' | 'request'> = {
    publish: (subject, ...rest) => {
      if (!dies(subject)) alive.publish(subject, ...rest);
    },
    request: (subject, ...rest) =>
      dies(subject) ? new Promise(() => undefined) : alive.request(subject, ...rest),
  };
  const connection = new Proxy(alive, {
    get(target, property) {
      if (property === 'publish' || property === 'request') return overridden[property];
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { connection, isDead: () => sent > steps };
}
