/** What is deployed follows from the list of services: a target of the Dockerfile and a service of the Compose file for each. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES } from '@stratum/shared';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const read = (file: string): string =>
  readFileSync(join(import.meta.dirname, '../../../deploy', file), 'utf8');

test('each service has an image, and so has the command', () => {
  const targets = [
    ...read('Dockerfile').matchAll(/^FROM runtime AS (\S+)\nCOPY --from=build \/out\/(\S+) \/app$/gm),
  ];
  expect(targets.map(([, target, folder]) => [target, folder])).toEqual(
    expect.arrayContaining([...SERVICES, 'cli'].map((name) => [name, name])),
  );
  expect(targets).toHaveLength(SERVICES.length + 1);
});

const composeSchema = z.object({
  services: z.record(
    z.string(),
    z.object({
      image: z.string(),
      build: z.object({ target: z.string() }).optional(),
      read_only: z.boolean().optional(),
      cap_drop: z.array(z.string()).optional(),
    }),
  ),
});

test('each image is a service of the Compose file, without rights to write or to rise', () => {
  const { services } = composeSchema.parse(parse(read('compose.yaml'), { merge: true }));
  const built = Object.entries(services).filter(([, { build }]) => build !== undefined);
  expect(built.map(([, { build }]) => String(build?.target)).toSorted()).toEqual(
    [...SERVICES, 'cli'].toSorted(),
  );
  for (const [name, service] of built)
    expect(service, name).toMatchObject({
      image: `stratum/${service.build?.target}`,
      read_only: true,
      cap_drop: ['ALL'],
    });
});
