/** Webhooks: senders, endpoints, deliveries. */
export {
  INBOUND_DELIVERY_STATES,
  findWebhookDelivery,
  listWebhookDeliveries,
  webhookDeliveryIds,
  type DeliveryFilter,
  type InboundDelivery,
  type WebhookDeliveryDetail,
  type InboundDeliveryState,
} from './deliveries.js';
export {
  checkSettings,
  followingTasksSchema,
  WebhookEndpointError,
  type FollowingTask,
} from './endpoint-settings.js';
export {
  changeWebhookEndpoint,
  createWebhookEndpoint,
  findWebhookEndpoint,
  listWebhookEndpoints,
  readWebhookSecret,
  removeWebhookEndpoint,
  rotateWebhookSecret,
  SECRET_GRACE_SECONDS,
  webhookPath,
  type EndpointChange,
  type WebhookEndpoint,
} from './endpoints.js';
export { idSchema, jsonOrUndefined, parseJson, textAt } from './json.js';
export {
  carriedEvents,
  findReceivingEndpoint,
  toWebhookTasks,
  validSecrets,
  WebhookTooLargeError,
  type ReceivingEndpoint,
  type WebhookTask,
} from './receiving.js';
export { openBody, sealBody } from './sealing.js';
export { digestOf, sameText } from './signature.js';
export { MalformedWebhookError, type Verdict, type WebhookEvent, type WebhookRequest } from './source.js';
export { outcomeOfStage } from './sources/hubspot-stages.js';
export { bindSource, isSourceName, SOURCE_NAMES, SOURCES, type SourceName } from './sources.js';
