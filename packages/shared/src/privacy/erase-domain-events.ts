/** Removes published events that name a person: profiles by their numbers, users by their ids. */
import { scopedName, ServerCode } from '@stratum/jobs/internal';
import type { NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';

export interface DomainEventFilter {
  /** First token of every subject. */
  prefix: string;
  tenantId: number;
  profileIds: ReadonlySet<number>;
  matches: (body: Uint8Array) => boolean;
}

const TIMEOUT_MS = 10_000;
/** There is no message, or no stream. */
const ABSENT = new Set<number>([ServerCode.MessageNotFound, ServerCode.StreamNotFound]);
const answerSchema = z.object({
  message: z.object({ seq: z.int(), data: z.string().default('') }).optional(),
  error: z.object({ err_code: z.int().default(0), description: z.string().default('') }).optional(),
});
const dataSchema = z.object({ data: z.object({ profile_ids: z.array(z.int()) }) });

/** Returns how many were removed. The stream allows no direct reads, so its leader is asked for one message after the other. */
export async function eraseDomainEvents(
  connection: NatsConnection,
  { prefix, tenantId, profileIds, matches }: DomainEventFilter,
): Promise<number> {
  const stream = scopedName(prefix, 'DOMAIN_EVENTS');
  const ask = async (verb: string, query: object): Promise<z.output<typeof answerSchema>> => {
    const reply = await connection.request(`$JS.API.STREAM.MSG.${verb}.${stream}`, JSON.stringify(query), {
      timeout: TIMEOUT_MS,
    });
    const answer = answerSchema.parse(reply.json());
    const { error } = answer;
    if (error !== undefined && !ABSENT.has(error.err_code))
      throw new Error(`The stream ${stream} cannot be searched: ${error.description}.`);
    return answer;
  };
  let removed = 0;
  for (let seq = 1; ;) {
    const { message } = await ask('GET', { seq, next_by_subj: `${prefix}.domain.${tenantId}.>` });
    if (message === undefined) return removed;
    seq = message.seq + 1;
    const body = Buffer.from(message.data, 'base64');
    if (!matches(body) && !namesProfile(body, profileIds)) continue;
    await ask('DELETE', { seq: message.seq });
    removed++;
  }
}

function namesProfile(body: Buffer, profileIds: ReadonlySet<number>): boolean {
  try {
    const { data } = dataSchema.safeParse(JSON.parse(body.toString('utf8')));
    return data?.data.profile_ids.some((id) => profileIds.has(id)) === true;
  } catch {
    return false;
  }
}
