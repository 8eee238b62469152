/** The schema of a task's payload, as JSON Schema. */
import type { TaskContract } from '@stratum/jobs';
import { z } from 'zod';

/** A schema as it is written to a file. */
export type JsonSchema = Record<string, unknown>;
export type JsonSchemaDialect = 'draft-2020-12' | 'draft-7';

/** Without the field that names the dialect. */
export function payloadSchema(
  { input }: Pick<TaskContract, 'input'>,
  dialect: JsonSchemaDialect = 'draft-2020-12',
): JsonSchema {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(input, {
    io: 'input',
    unrepresentable: 'any',
    target: dialect,
  });
  return schema;
}
