/** The dashboard as a service. Several may run: one keeps the history, one samples the queues, all of them serve. */
import { runService } from '@stratum/shared/service';
import { startDashboard } from './dashboard.js';
import { DASHBOARD_SETTINGS, requireTls } from './settings.js';

await runService({
  name: 'dashboard',
  settings: DASHBOARD_SETTINGS,
  check: requireTls,
  start: startDashboard,
});
