/** The servers as containers, through testcontainers. */
import { PostgreSqlContainer } from '@testcontainers/postgresql';
import { GenericContainer, Wait } from 'testcontainers';
import type { Backend } from './started-backend.js';

const NATS_PORT = 4222;

export async function startContainers(images: { nats: string; postgres: string }): Promise<Backend> {
  const [nats, postgres] = await Promise.all([
    new GenericContainer(images.nats)
      .withCommand(['-js'])
      .withExposedPorts(NATS_PORT)
      .withWaitStrategy(Wait.forLogMessage(/Server is ready/))
      .start(),
    new PostgreSqlContainer(images.postgres).start(),
  ]);
  return {
    description: `containers (${images.nats}, ${images.postgres})`,
    natsUrl: `nats://${nats.getHost()}:${nats.getMappedPort(NATS_PORT)}`,
    adminDatabaseUrl: postgres.getConnectionUri(),
    stop: async () => {
      await Promise.all([nats.stop(), postgres.stop()]);
    },
  };
}
