/** Snapchat's ads. An ad names its ad squad, and the squad names the campaign. */
import { z } from 'zod';
import type { CreativeKind, CreativeRecord } from '../connector.js';

export const squadSchema = z.object({ id: z.string(), campaign_id: z.string(), status: z.string() });

export const adSchema = z.object({
  id: z.string(),
  name: z.string(),
  ad_squad_id: z.string(),
  status: z.string(),
  type: z.string().default(''),
});

/** Most types say what a swipe leads to, and not what is shown. */
const KINDS: Readonly<Record<string, CreativeKind>> = {
  LONGFORM_VIDEO: 'video',
  STORY: 'carousel',
  COLLECTION: 'carousel',
};

/** @param squads by their ids; an ad of none of them is left out: its squad was made after they were listed */
export function snapchatCreatives(
  ads: readonly z.infer<typeof adSchema>[],
  squads: ReadonlyMap<string, z.infer<typeof squadSchema>>,
): CreativeRecord[] {
  return ads.flatMap(({ id, name, ad_squad_id: squadId, status, type }) => {
    const squad = squads.get(squadId);
    if (squad === undefined) return [];
    return {
      externalId: id,
      campaignExternalId: squad.campaign_id,
      name,
      kind: KINDS[type] ?? 'other',
      status: status === 'ACTIVE' && squad.status === 'ACTIVE' ? ('active' as const) : ('paused' as const),
    };
  });
}
