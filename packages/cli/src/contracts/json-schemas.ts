/** The contracts as JSON Schema. */
import { taskEventSchema, taskRecordSchema, workflowSummarySchema, type TaskContract } from '@stratum/jobs';
import { payloadSchema } from '@stratum/shared';
import { z } from 'zod';
import { deadLetterHeaders, delayedHeaders, taskHeaders } from './header-schemas.js';
import type { JsonSchema } from './json-schema.js';

type Dialect = 'draft-2020-12' | 'draft-7';

const DIALECT_URL = 'https://json-schema.org/draft/2020-12/schema';

/** Schema of a result. */
export function resultSchema({ output }: TaskContract, dialect: Dialect): JsonSchema {
  return outputSchema(output, dialect);
}

export function recordSchema(dialect: Dialect): JsonSchema {
  return outputSchema(taskRecordSchema, dialect);
}

export function eventSchema(dialect: Dialect): JsonSchema {
  return outputSchema(taskEventSchema, dialect);
}

export function workflowStateSchema(dialect: Dialect): JsonSchema {
  return outputSchema(workflowSummarySchema, dialect);
}

/** Open to fields that a later version adds: who reads must not refuse them. */
function outputSchema(schema: z.ZodType, dialect: Dialect): JsonSchema {
  return withoutDialect(
    z.toJSONSchema(schema, {
      io: 'output',
      unrepresentable: 'any',
      target: dialect,
      override: ({ jsonSchema }) => {
        if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      },
    }),
  );
}

function withoutDialect({ $schema: _dialect, ...schema }: JsonSchema): JsonSchema {
  return schema;
}

/** One file for each, by path. */
export function jsonSchemaFiles(contracts: readonly TaskContract[]): Map<string, JsonSchema> {
  const files = new Map<string, JsonSchema>();
  const add = (path: string, title: string, schema: JsonSchema): void => {
    const name = path.replaceAll('/', ':').replace('.schema.json', '');
    files.set(path, { $schema: DIALECT_URL, $id: `urn:stratum:${name}`, title, ...schema });
  };
  for (const contract of contracts) {
    const { name, description } = contract;
    const about = { description };
    add(`tasks/${name}.payload.schema.json`, `Payload of ${name}`, {
      ...about,
      ...payloadSchema(contract, 'draft-2020-12'),
    });
    add(`tasks/${name}.result.schema.json`, `Result of ${name}`, {
      ...about,
      ...resultSchema(contract, 'draft-2020-12'),
    });
  }
  add('record.schema.json', 'Record of a task', recordSchema('draft-2020-12'));
  add('event.schema.json', 'State change of a task', eventSchema('draft-2020-12'));
  add('task-headers.schema.json', 'Headers of a task', taskHeaders);
  add('delayed-headers.schema.json', 'Headers of a task for later', delayedHeaders);
  add('dead-letter-headers.schema.json', 'Headers of a dead letter', deadLetterHeaders);
  return files;
}
