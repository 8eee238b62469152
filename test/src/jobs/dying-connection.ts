/** Connections on which less arrives than is sent. */
import type { NatsConnection } from '@nats-io/transport-node';

export interface DyingConnection {
  connection: NatsConnection;
  isDead(): boolean;
}

/**
 * A connection whose process "dies" after a number of steps: from then on nothing it sends reaches anybody.
 * @param counts the steps: the sends that change something for others
 */
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
  const connection = sendingThrough(alive, {
    publish: (subject, ...rest) => {
      if (!dies(subject)) alive.publish(subject, ...rest);
    },
    request: (subject, ...rest) =>
      dies(subject) ? new Promise(() => undefined) : alive.request(subject, ...rest),
  });
  return { connection, isDead: () => sent > steps };
}

/** A connection on which no acknowledgement and no heartbeat of a message arrives: its worker is taken for lost. */
export function withoutAcks(alive: NatsConnection): NatsConnection {
  return sendingThrough(alive, {
    publish: (subject, ...rest) => {
      if (!subject.startsWith('$JS.ACK.')) alive.publish(subject, ...rest);
    },
  });
}

export interface HoldingConnection {
  connection: NatsConnection;
  /** Messages that wait. */
  heldCount(): number;
  /** Sends what waits, in order, and from then on everything at once. */
  release(): void;
}

/** A connection whose messages on some subjects wait until they are released. */
export function holdingBack(alive: NatsConnection, isHeld: (subject: string) => boolean): HoldingConnection {
  const held: (() => void)[] = [];
  let isOpen = false;
  const connection = sendingThrough(alive, {
    publish: (subject, ...rest) => {
      if (isOpen || !isHeld(subject)) alive.publish(subject, ...rest);
      else held.push(() => alive.publish(subject, ...rest));
    },
  });
  return {
    connection,
    heldCount: () => held.length,
    release: () => {
      isOpen = true;
      for (const send of held.splice(0)) send();
    },
  };
}

function sendingThrough(
  alive: NatsConnection,
  overridden: Partial<Pick<NatsConnection, 'publish' | 'request'>>,
): NatsConnection {
  return new Proxy(alive, {
    get(target, property) {
      const own = property === 'publish' || property === 'request' ? overridden[property] : undefined;
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
