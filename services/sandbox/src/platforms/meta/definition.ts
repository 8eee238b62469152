import { SANDBOX_CREDENTIALS } from '../adapter.js';
import { simulate } from '../definition.js';
import { MetaAdapter } from './adapter.js';

export const meta = simulate({
  endpoints: { META_BASE_URL: '/meta/v26.0' },
  adapter: (options) => new MetaAdapter(options),
  // Only campaigns that are to sell have a revenue of nought.
  knowsRevenue: ({ objective }, conversions) => conversions > 0 || objective === 'sales',
  credentials: { accessToken: SANDBOX_CREDENTIALS.metaAccessToken },
});
