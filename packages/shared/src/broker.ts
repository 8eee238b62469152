/** For programs that use the broker alone: this entry point loads in a fraction of the time of the whole package. */
export { loadBrokerConfiguration, type BrokerConfiguration } from './configuration/broker-settings.js';
export { platformTopology, QUEUES, type QueueName } from './queues.js';
export { ConfigurationError } from './configuration/settings.js';
