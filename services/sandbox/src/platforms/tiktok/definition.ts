import { SANDBOX_CREDENTIALS } from '../adapter.js';
import { asSold, simulate } from '../definition.js';
import { buyingType, TikTokAdapter } from './adapter.js';

export const tiktok = simulate({
  endpoints: { TIKTOK_BASE_URL: '/tiktok/open_api/v1.3' },
  adapter: (options) => new TikTokAdapter(options),
  credentials: { accessToken: SANDBOX_CREDENTIALS.tiktokAccessToken },
  reports: (campaign) => buyingType(campaign) === 'AUCTION',
  knowsConversions: asSold,
  knowsRevenue: () => false,
  namesRetryDelay: false,
});
