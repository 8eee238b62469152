/** The API as a service. */
import { runService } from '@stratum/shared/service';
import { startApi } from './api.js';
import { checkedApplication } from './checked-application.js';
import { API_SETTINGS } from './settings.js';

await runService({
  name: 'api',
  settings: API_SETTINGS,
  check: async (configuration) => {
    await checkedApplication(configuration);
  },
  start: startApi,
});
