import { SANDBOX_CREDENTIALS } from '../adapter.js';
import { asSold, simulate } from '../definition.js';
import { MetaAdapter } from './adapter.js';

export const meta = simulate({
  endpoints: { META_BASE_URL: '/meta/v26.0' },
  adapter: (options) => new MetaAdapter(options),
  knowsConversions: asSold,
  knowsRevenue: asSold,
  credentials: { accessToken: SANDBOX_CREDENTIALS.metaAccessToken },
});
