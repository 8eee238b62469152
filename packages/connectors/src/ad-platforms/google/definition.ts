import { accountDigits } from '../account-id.js';
import { defineAdPlatform } from '../definition.js';
import { GoogleConnector } from './connector.js';
import { googleActions } from './conversions.js';
import { googleCredentials } from './credentials.js';
import { googleMoney } from './money.js';

export const google = defineAdPlatform({
  name: 'google',
  title: 'Google Ads',
  credentials: googleCredentials,
  credentialsHelp:
    '{"developerToken", "clientId", "clientSecret", "refreshToken", "loginCustomerId"?}: the last is the manager account, if there is one',
  endpoints: {
    GOOGLE_ADS_BASE_URL: {
      default: 'https://googleads.googleapis.com/v26',
      description: 'Google Ads API, with its version.',
    },
    GOOGLE_OAUTH_URL: {
      default: 'https://oauth2.googleapis.com/token',
      description: 'Where Google issues access tokens.',
    },
  },
  accountIdHelp: 'A customer of Google Ads has ten digits, for example 123-456-7890.',
  parseAccountId: (text) => accountDigits(text.trim().replaceAll('-', ''), 10),
  money: googleMoney,
  conversionActions: googleActions,
  attributionLagDays: 7,
  attributionWindowDays: 30,
  connect: ({ endpoints, ...options }) =>
    new GoogleConnector({
      ...options,
      baseUrl: endpoints.GOOGLE_ADS_BASE_URL,
      tokenUrl: endpoints.GOOGLE_OAUTH_URL,
    }),
});
