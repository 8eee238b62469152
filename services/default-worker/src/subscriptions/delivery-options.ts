/** How events are delivered. Every setting has a default. */

export interface DeliveryOptions {
  /** Deliveries at once to one subscription's receiver, over all workers. Default 2. */
  perSubscription?: number;
  /** Deliveries at once in this process. Default 3. */
  places?: number;
  /** For each attempt, in milliseconds. Default 15,000, as Standard Webhooks advises. */
  timeoutMs?: number;
  /** Waits before the second, third … attempt, in milliseconds; each drawn from 10 % less to 10 % more. Default: ten attempts over three days. */
  retryDelaysMs?: readonly number[];
  /** Attempts in a row without a success before a subscription is paused … Default 10. */
  pauseAfterFailures?: number;
  /** … if the first of them is so long ago, in milliseconds. Default two days. */
  pauseAfterMs?: number;
  /** The failures in a row after which a receiver gets a pause between attempts. Default 5. */
  restAfterFailures?: number;
  /** For so long, in milliseconds. Default 30,000. */
  restMs?: number;
  /** A receiver that takes longer to answer counts as slow, in milliseconds. Default 5,000. */
  slowMs?: number;
}

export type DeliveryConfig = Readonly<Required<DeliveryOptions>>;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The waits that Standard Webhooks gives as an example. */
const RETRY_DELAYS_MS = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
] as const;

const DEFAULTS: DeliveryConfig = {
  perSubscription: 2,
  places: 3,
  timeoutMs: 15 * SECOND,
  retryDelaysMs: RETRY_DELAYS_MS,
  pauseAfterFailures: 10,
  pauseAfterMs: 48 * HOUR,
  restAfterFailures: 5,
  restMs: 30 * SECOND,
  slowMs: 5 * SECOND,
};

export function resolveDeliveryOptions(options: DeliveryOptions = {}): DeliveryConfig {
  return Object.freeze({ ...DEFAULTS, ...options });
}
