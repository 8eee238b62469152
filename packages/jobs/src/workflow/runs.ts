/** Cached manifests and plans of started workflows. They never change, so they are read once. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { JobsError } from '../errors.js';
import type { StoredValue } from '../broker/key-value.js';
import { readJson } from '../values/read-json.js';
import { traceParent, traceState } from '../values/trace-context.js';
import { workflowKeys, type WorkflowBucket } from './bucket.js';
import type { WorkflowDefinition } from './definition.js';
import { planOf, type Plan } from './plan.js';

/** One of another form counts as absent, as in a task's headers. */
const formed = (form: typeof traceParent): z.ZodType<string | null> =>
  z
    .string()
    .nullable()
    .transform((text) => (text === null ? null : (form.parse(text) ?? null)));

export const manifestSchema = z.object({
  id: z.string(),
  /** The tenant that its starter set for every step. */
  tenant: z.string().nullable(),
  started_at: z.string(),
  /** The common tenant of its steps. */
  owner: z.string().nullable(),
  /** The definition in one piece, or the number of its parts. Neither for a refused one. */
  definition: z.custom<WorkflowDefinition>().nullable(),
  parts: z.int(),
  /** Digest of the definition as JSON. It distinguishes a repeated start from another workflow with the same id. */
  digest: z.string(),
  /** Members of a group that run at once. Without it, as a version before has stored it: all. */
  group_portion: z.int().positive().optional(),
  /** The task that started it. */
  parent_id: z.string().nullable(),
  root_id: z.string().nullable(),
  traceparent: formed(traceParent),
  tracestate: formed(traceState),
});
export type Manifest = z.infer<typeof manifestSchema>;

export interface Run {
  readonly id: string;
  readonly manifest: Manifest;
  readonly plan: Plan;
  /** Sequence of the manifest. All other keys of the workflow follow it. */
  readonly sequence: number;
}

export type StoredManifest = Pick<Run, 'manifest' | 'sequence'>;

/** Size limit of the cache, in nodes. */
const KEPT_NODES = 100_000;
/** An id can be reused once its workflow has expired. */
const TRUSTED_MS = 60_000;

interface KeptRun {
  run: Run;
  checkedAt: number;
}

export class Runs {
  private readonly kept = new Map<string, KeptRun>();
  private readonly loading = new Map<string, Promise<Run | undefined>>();
  private nodes = 0;

  constructor(private readonly bucket: WorkflowBucket) {}

  /** `undefined` for an unknown, refused or expired workflow. */
  async load(id: string): Promise<Run | undefined> {
    const known = this.kept.get(id);
    if (known !== undefined && performance.now() - known.checkedAt < TRUSTED_MS) {
      // The most recently used ones are last.
      this.kept.delete(id);
      this.kept.set(id, known);
      return known.run;
    }
    const loading = this.loading.get(id) ?? this.read(id).finally(() => this.loading.delete(id));
    this.loading.set(id, loading);
    return loading;
  }

  async manifest(id: string): Promise<StoredManifest | undefined> {
    const stored = await this.bucket.get(workflowKeys.manifest(id));
    return stored && readManifest(stored);
  }

  /** Stores the manifest of a new workflow. Returns that of the workflow which has the id already. @throws JobsError `lookup_failed` */
  async create(manifest: Manifest): Promise<StoredManifest | undefined> {
    const { id } = manifest;
    const standing = await this.bucket.create(workflowKeys.manifest(id), JSON.stringify(manifest));
    if (standing === undefined) return undefined;
    const other = readManifest(standing);
    if (other !== undefined) return other;
    throw new JobsError(
      'lookup_failed',
      `Under the id "${id}" something is stored that is no workflow. Choose another id.`,
    );
  }

  private async read(id: string): Promise<Run | undefined> {
    const stored = await this.manifest(id);
    const known = this.kept.get(id);
    if (known !== undefined && known.run.sequence === stored?.sequence) {
      known.checkedAt = performance.now();
      return known.run;
    }
    if (known !== undefined) this.forget(known.run);
    if (stored === undefined) return undefined;
    const definition = stored.manifest.definition ?? (await this.readParts(stored.manifest));
    if (definition === undefined) return undefined;
    const run = { id, ...stored, plan: planOf(definition, stored.manifest.group_portion) };
    this.keep(run);
    return run;
  }

  private async readParts({ id, parts, digest }: Manifest): Promise<WorkflowDefinition | undefined> {
    if (parts === 0) return undefined;
    const found = await Promise.all(
      Array.from({ length: parts }, (_, part) => this.bucket.get(workflowKeys.part(id, part))),
    );
    const bodies = found.flatMap((part) => (part === undefined ? [] : [part.message.data]));
    if (bodies.length < parts) return undefined;
    const text = Buffer.concat(bodies).toString('utf8');
    if (digestOf(text) !== digest)
      throw new JobsError('lookup_failed', `The definition of workflow "${id}" has been tampered with.`);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its digest says that it is what was checked before it was stored
    return JSON.parse(text) as WorkflowDefinition;
  }

  private keep(run: Run): void {
    this.kept.set(run.id, { run, checkedAt: performance.now() });
    this.nodes += run.plan.nodes.length;
    for (const { run: oldest } of this.kept.values()) {
      if (this.nodes <= KEPT_NODES || this.kept.size === 1) return;
      this.forget(oldest);
    }
  }

  private forget({ id, plan }: Run): void {
    this.kept.delete(id);
    this.nodes -= plan.nodes.length;
  }
}

export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

function readManifest({ message, sequence }: StoredValue): StoredManifest | undefined {
  const manifest = manifestSchema.safeParse(readJson(message)).data;
  return manifest && { manifest, sequence };
}
