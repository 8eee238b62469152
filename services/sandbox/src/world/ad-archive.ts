/** The ads of companies in Meta's library: each runs for some weeks, and new ones come every few days. */
import { between, pick } from './random.js';
import { addDays, daysBetween } from './model.js';

export interface ArchiveAd {
  id: string;
  text: string;
  title: string;
  platforms: string[];
  /** YYYY-MM-DD. */
  startedOn: string;
}

const EPOCH = '2024-01-01';
const EVERY_DAYS = 3;
const LONGEST_DAYS = 60;
const SUBJECTS = [
  'winter boots',
  'city breaks',
  'trail shoes',
  'rain jackets',
  'gift cards',
  'backpacks',
] as const;
const CLAIMS = ['Now 20 % off', 'New this week', 'Free returns', 'Last sizes', 'Made to last'] as const;

/** The ads that run on a day. */
export function activeAds(pageId: string, today: string): ArchiveAd[] {
  const now = Math.floor(daysBetween(EPOCH, today) / EVERY_DAYS);
  const first = now - Math.ceil(LONGEST_DAYS / EVERY_DAYS);
  const ads: ArchiveAd[] = [];
  for (let index = first; index <= now; index++) {
    const key = `ads/${pageId}/${index}`;
    const startedOn = addDays(EPOCH, index * EVERY_DAYS);
    if (addDays(startedOn, Math.floor(between(`${key}/lives`, 10, LONGEST_DAYS))) < today) continue;
    const claim = pick(`${key}/claim`, CLAIMS);
    const subject = pick(`${key}/subject`, SUBJECTS);
    ads.push({
      id: `${pageId}${String(index).padStart(6, '0')}`,
      title: claim,
      text: `${claim}: ${subject}.`,
      platforms: index % 2 === 0 ? ['FACEBOOK', 'INSTAGRAM'] : ['INSTAGRAM'],
      startedOn,
    });
  }
  return ads;
}
