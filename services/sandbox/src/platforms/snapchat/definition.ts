import { OAUTH_CREDENTIALS } from '../access-tokens.js';
import { asSold, simulate } from '../definition.js';
import { adId, SnapchatAdapter, uuidOf } from './adapter.js';

export const snapchat = simulate({
  endpoints: {
    SNAPCHAT_BASE_URL: '/snapchat/v1',
    SNAPCHAT_OAUTH_URL: '/snapchat-oauth/login/oauth2/access_token',
  },
  adapter: (options) => new SnapchatAdapter(options),
  credentials: OAUTH_CREDENTIALS,
  accountId: (digits) => `7d2c1a52-7c1e-4b7a-9d55-00${digits}`,
  campaignId: (account, campaign) => uuidOf(account, campaign),
  adId,
  knowsConversions: asSold,
  knowsRevenue: asSold,
  refreshesTokens: true,
});
