import { defineAdPlatform } from '../definition.js';
import { SnapchatConnector } from './connector.js';
import { snapchatActions } from './conversions.js';
import { snapchatCredentials } from './credentials.js';
import { snapchatMoney } from './money.js';

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

export const snapchat = defineAdPlatform({
  name: 'snapchat',
  title: 'Snapchat',
  credentials: snapchatCredentials,
  credentialsHelp: '{"clientId", "clientSecret", "refreshToken"}',
  endpoints: {
    SNAPCHAT_BASE_URL: {
      default: 'https://adsapi.snapchat.com/v1',
      description: 'Snapchat Marketing API, with its version.',
    },
    SNAPCHAT_OAUTH_URL: {
      default: 'https://accounts.snapchat.com/login/oauth2/access_token',
      description: 'Where Snapchat issues access tokens.',
    },
  },
  accountIdHelp: 'An ad account of Snapchat is a UUID, for example 8adc3db7-8148-4fbf-999c-8d2266369d74.',
  parseAccountId: (text) => {
    const id = text.trim().toLowerCase();
    return UUID.test(id) ? id : undefined;
  },
  money: snapchatMoney,
  conversionActions: snapchatActions,
  attributionLagDays: 5,
  attributionWindowDays: 28,
  connect: ({ endpoints, ...options }) =>
    new SnapchatConnector({
      ...options,
      baseUrl: endpoints.SNAPCHAT_BASE_URL,
      tokenUrl: endpoints.SNAPCHAT_OAUTH_URL,
    }),
});
