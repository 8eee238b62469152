/** The life of a service: its settings, log, metrics and traces, and how it starts and stops. */
export { answersInTime, startMonitoring, type MonitoringServer } from './monitoring-server.js';
export { metricsReader } from './metrics-text.js';
export { createLogger } from './logger.js';
export { leaveBroker } from './leave-broker.js';
export { startTelemetry } from './telemetry.js';
export { runService, type Running, type ServiceContext } from './run-service.js';
export {
  runQueueService,
  settingsOf,
  startQueueService,
  startQueueServices,
  type HandlerResources,
  type QueueService,
} from './queue-service.js';
