import { OAUTH_CREDENTIALS } from '../access-tokens.js';
import { SANDBOX_CREDENTIALS } from '../adapter.js';
import { simulate } from '../definition.js';
import { adGroupAd, GoogleAdapter } from './adapter.js';

export const google = simulate({
  endpoints: { GOOGLE_ADS_BASE_URL: '/google/v26', GOOGLE_OAUTH_URL: '/google-oauth/token' },
  adId: (_account, ad) => adGroupAd(ad),
  adapter: (options) => new GoogleAdapter(options),
  credentials: { developerToken: SANDBOX_CREDENTIALS.googleDeveloperToken, ...OAUTH_CREDENTIALS },
  refreshesTokens: true,
});
