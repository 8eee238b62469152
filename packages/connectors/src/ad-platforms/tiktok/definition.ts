import { accountDigits } from '../account-id.js';
import { defineAdPlatform } from '../definition.js';
import { TikTokConnector } from './connector.js';
import { tiktokActions } from './conversions.js';
import { tiktokCredentials } from './credentials.js';
import { tiktokMoney } from './money.js';

export const tiktok = defineAdPlatform({
  name: 'tiktok',
  title: 'TikTok',
  credentials: tiktokCredentials,
  credentialsHelp: '{"accessToken"}',
  endpoints: {
    TIKTOK_BASE_URL: {
      default: 'https://business-api.tiktok.com/open_api/v1.3',
      description: 'TikTok Business API, with its version.',
    },
  },
  accountIdHelp: 'An advertiser of TikTok has digits only.',
  parseAccountId: (text) => accountDigits(text.trim()),
  money: tiktokMoney,
  conversionActions: tiktokActions,
  attributionLagDays: 5,
  attributionWindowDays: 28,
  connect: ({ endpoints, ...options }) =>
    new TikTokConnector({ ...options, baseUrl: endpoints.TIKTOK_BASE_URL }),
});
