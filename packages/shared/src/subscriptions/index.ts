/** Events that are sent out to subscriptions. */
export { resumeWithMissed, stopSubscription } from './activity.js';
export {
  addTestEvent,
  MESSAGE_STATES,
  listDeliveries,
  MAX_REPLAYED,
  replayDelivery,
  type OutboundDelivery,
  type DeliveryAttempt,
  type MessageState,
} from './deliveries.js';
export {
  enqueueDeliveries,
  firstDelivery,
  newClaim,
  nextDelivery,
  type MessageKey,
} from './delivery-task.js';
export {
  describeEventTypes,
  formatEventId,
  parseEventId,
  TEST_EVENT_TYPE,
  type EventTypeDescription,
} from './event-types.js';
export { openSecret, signedHeaders } from './signing.js';
export { subscriptionIdSchema } from './subscription-id.js';
export { subscriptionAddress } from './subscription-address.js';
export {
  createSubscription,
  findSubscription,
  listSubscriptions,
  removeSubscription,
  rotateSecret,
  SECRET_GRACE_MS,
  subscriptionAlertKey,
  SubscriptionError,
  SUBSCRIPTION_STATES,
  updateSubscription,
  type Subscription,
  type SubscriptionState,
  type SubscriptionWishes,
} from './subscriptions.js';
