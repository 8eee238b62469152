/** The TypeScript of the guide on transactional enqueueing; tests run it. */
import { defineTask, type Topology } from '@stratum/jobs';
import {
  createOutbox,
  createOutboxRelay,
  outboxTable,
  type OutboxRelay,
  type OutboxTransaction,
} from '@stratum/jobs/outbox';
import type { NatsConnection } from '@nats-io/transport-node';
import { sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { CompiledQuery, type Transaction } from 'kysely';
import type { Pool } from 'pg';
import { z } from 'zod';

export const sendReceipt = defineTask({
  name: 'send_receipt',
  queue: 'work',
  input: z.object({ order_id: z.int() }),
  output: z.object({ sent_to: z.string() }),
});

export async function migrate(pool: Pool): Promise<void> {
  await pool.query(outboxTable());
}

export async function placeOrder(pool: Pool, topology: Topology, email: string): Promise<string> {
  const outbox = createOutbox({ topology });
  const client = await pool.connect();
  try {
    await client.query('begin');
    const { rows } = await client.query<{ id: number }>(
      'insert into orders (email) values ($1) returning id',
      [email],
    );
    const orderId = rows[0]?.id ?? 0;
    const { id } = await outbox.enqueue(client, sendReceipt, { order_id: orderId }, { orderKey: email });
    await client.query('commit');
    return id;
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

export function startRelay(database: Pool, connection: NatsConnection, topology: Topology): OutboxRelay {
  const relay = createOutboxRelay({ database, connection, topology });
  relay.start();
  return relay;
}

export const inKysely = (trx: Transaction<unknown>): OutboxTransaction => ({
  query: (text, values) => trx.executeQuery(CompiledQuery.raw(text, values)),
});

export const inDrizzle = (tx: Pick<NodePgDatabase, 'execute'>): OutboxTransaction => ({
  query: (text, [tasks]) =>
    tx.execute(
      sql.join(
        text.split('$1').map((part) => sql.raw(part)),
        sql`${tasks}`,
      ),
    ),
});

/** The part of Prisma's `TransactionClient` that is used. */
interface PrismaTransaction {
  $executeRawUnsafe(text: string, ...values: unknown[]): Promise<number>;
}

export const inPrisma = (tx: PrismaTransaction): OutboxTransaction => ({
  query: (text, values) => tx.$executeRawUnsafe(text, ...values),
});
