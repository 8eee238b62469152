/** Which stages of a HubSpot account's deal pipelines mean that a deal is won: the events name a stage by its id alone. */
import { z } from 'zod';

export const DEAL_OUTCOMES = ['won', 'lost', 'open'] as const;
export type DealOutcome = (typeof DEAL_OUTCOMES)[number];

/** HubSpot allows 100 pipelines with 100 stages each; accounts have a few dozen stages. */
const MAX_STAGES = 2_000;
const stageId = z.string().min(1).max(100);
const stagesSchema = z
  .record(stageId, z.enum(DEAL_OUTCOMES))
  .refine((stages) => Object.keys(stages).length <= MAX_STAGES, `must name at most ${MAX_STAGES} stages`);

/** Version 3 names the id `id` and writes texts; version 1 names it `stageId` and writes numbers. */
const stageSchema = z
  .looseObject({
    id: stageId.optional(),
    stageId: stageId.optional(),
    metadata: z.looseObject({ probability: z.coerce.number().min(0).max(1) }),
  })
  .transform(({ id, stageId: older, metadata }, context): [string, DealOutcome] => {
    const name = id ?? older;
    if (name === undefined) {
      context.addIssue({ code: 'custom', path: ['id'], message: 'is missing' });
      return z.NEVER;
    }
    return [name, outcomeOf(metadata.probability)];
  });

/** The answer of `GET /crm/v3/pipelines/deals`. https://developers.hubspot.com/docs/guides/api/crm/pipelines */
const pipelinesSchema = z.looseObject({
  results: z.array(z.looseObject({ stages: z.array(stageSchema).max(100) })).max(100),
});

/** “0.0 being Closed Lost and 1.0 being Closed Won.” */
function outcomeOf(probability: number): DealOutcome {
  if (probability === 1) return 'won';
  return probability === 0 ? 'lost' : 'open';
}

export const hubspotSettings = z
  .strictObject({
    stages: stagesSchema
      .optional()
      .describe(
        'Stages of deals by their ids: `won`, `lost` or `open`. A stage that is missing says nothing.',
      ),
    pipelines: pipelinesSchema
      .optional()
      .describe('The answer of HubSpot’s `GET /crm/v3/pipelines/deals`: replaces `stages`.'),
  })
  .transform(({ stages, pipelines }, context) => {
    if (pipelines === undefined) return stages === undefined ? {} : { stages };
    const read = stagesSchema.safeParse(Object.fromEntries(pipelines.results.flatMap((each) => each.stages)));
    if (read.success) return { stages: read.data };
    context.addIssue({
      code: 'custom',
      path: ['pipelines'],
      message: `must name at most ${MAX_STAGES} stages`,
    });
    return z.NEVER;
  });

/** Stages of the pipeline that every account begins with. */
const DEFAULT_STAGES: ReadonlyMap<string, DealOutcome> = new Map([
  ['appointmentscheduled', 'open'],
  ['qualifiedtobuy', 'open'],
  ['presentationscheduled', 'open'],
  ['decisionmakerboughtin', 'open'],
  ['contractsent', 'open'],
  ['closedwon', 'won'],
  ['closedlost', 'lost'],
]);

/** @returns `undefined` where neither the endpoint's settings nor HubSpot's own pipeline have the stage */
export function outcomeOfStage(
  settings: Readonly<Record<string, unknown>>,
  stage: string,
): DealOutcome | undefined {
  const { data } = stagesSchema.safeParse(settings['stages']);
  const own = data !== undefined && Object.hasOwn(data, stage) ? data[stage] : undefined;
  return own ?? DEFAULT_STAGES.get(stage);
}
