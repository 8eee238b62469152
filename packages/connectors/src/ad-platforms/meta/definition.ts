import { accountDigits } from '../account-id.js';
import { defineAdPlatform } from '../definition.js';
import { MetaConnector } from './connector.js';
import { metaCredentials } from './credentials.js';
import { metaMoney } from './money.js';
import { metaActions } from './results.js';

export const meta = defineAdPlatform({
  name: 'meta',
  title: 'Meta',
  credentials: metaCredentials,
  credentialsHelp: '{"accessToken"}: of a system user, with ads_read and ads_management',
  endpoints: {
    META_BASE_URL: {
      default: 'https://graph.facebook.com/v26.0',
      description: 'Meta Marketing API, with its version.',
    },
  },
  accountIdHelp: 'An ad account of Meta has digits only, for example act_1234567890.',
  parseAccountId: (text) => accountDigits(text.trim().replace(/^act_/, '')),
  money: metaMoney,
  conversionActions: metaActions,
  attributionLagDays: 7,
  attributionWindowDays: 28,
  connect: ({ endpoints, ...options }) => new MetaConnector({ ...options, baseUrl: endpoints.META_BASE_URL }),
});
