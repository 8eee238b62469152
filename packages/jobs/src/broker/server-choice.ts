/** Which server of a cluster a connection is opened to next. */
import type { NatsConnection, Server } from '@nats-io/nats-core';

export class ServerChoice {
  private readonly seen = new Set<string>();
  private avoided: string | undefined;
  private triesLeft = 0;
  private connection: NatsConnection | undefined;

  /** Remembers the servers that the cluster names: one that is cut off forgets the others. */
  remember(connection: NatsConnection): void {
    this.connection = connection;
    this.note();
    void this.follow(connection);
  }

  /** The next connection goes to another server than this one. */
  avoid(server: string): void {
    this.avoided = server;
    this.note();
    this.triesLeft = this.seen.size;
    const { connection } = this;
    // Versions of the client before 3.4 keep their servers to themselves.
    if (connection === undefined || !('getServers' in connection)) return;
    const known = new Set(connection.getServers().map(({ listen }) => listen));
    const forgotten = [...this.seen].filter((listen) => !known.has(listen));
    if (forgotten.length > 0) connection.setServers([...known, ...forgotten]);
  }

  /** `null` leaves the choice to the client. */
  next(known: readonly Server[]): Server | null {
    const { avoided } = this;
    // Where no other can be reached, it is better than none.
    if (avoided === undefined || this.triesLeft-- <= 0) return null;
    return known.find(({ listen }) => listen !== avoided) ?? null;
  }

  private async follow(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === 'reconnect') this.avoided = undefined;
      if (type === 'reconnect' || type === 'update') this.note();
    }
  }

  private note(): void {
    const { connection } = this;
    for (const address of connection?.info?.connect_urls ?? []) this.seen.add(address);
    if (connection !== undefined) this.seen.add(connection.getServer());
  }
}
