/** A schema as it is written to a file. */
export type JsonSchema = Record<string, unknown>;
