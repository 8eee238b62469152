/** The settings of the broker: where it is, and how the platform's streams are laid out. */
import { queueShards } from './queue-shards.js';
import {
  bytes,
  count,
  readableFile,
  readSettings,
  seconds,
  SettingProblem,
  text,
  url,
  withDefault,
  type Values,
} from './settings.js';

export const brokerSettings = {
  /** Servers of the NATS cluster, comma-separated. */
  NATS_URL: url(/^(nats|tls|wss?):\/\//, 'nats://127.0.0.1:4222', 'nats://127.0.0.1:4222'),
  /** Path of a NATS credentials file. Default: none. */
  NATS_CREDS: readableFile(),
  /** Path of the seed of an nkey, instead of a password. Default: none. */
  NATS_NKEY: readableFile(),
  /** Path of the certificate authorities (PEM) that the NATS server's certificate comes from. Default: those of Node.js. */
  NATS_CA: readableFile(),
  /** Paths of a client certificate and its key (PEM), for servers that verify clients. Default: none. */
  NATS_CERT: readableFile(),
  NATS_KEY: readableFile(),
  /** First token of every subject. Default `stratum`. */
  STRATUM_PREFIX: withDefault((prefix) => {
    if (/^[A-Za-z0-9_-]{1,64}$/.test(prefix)) return prefix;
    throw new SettingProblem('must be 1 to 64 of A–Z, a–z, 0–9, "_" and "-"');
  }, 'stratum'),
  /** Path of the configuration module of an own application, whose tasks and queues the API and the command then serve. Default: the platform's. */
  STRATUM_CONFIG: text(),
  /** Copies of every stream in a NATS cluster. Default 1. */
  STRATUM_REPLICAS: count(1, 5),
  /** Streams of busy queues: `sync=4,rules=2`; `sync=2/4` empties the shards from the third on. Default: one stream for each queue. */
  STRATUM_QUEUE_SHARDS: queueShards(),
  /** State changes of tasks kept at most, in bytes: beyond it the oldest go. Reserved on the broker's disk. Default 1,073,741,824. */
  TASK_EVENTS_MAX_BYTES: bytes(1_073_741_824),
  /** Customer events that may wait for the database, in bytes: beyond it the API answers 503. Reserved. Default 2,147,483,648. */
  CUSTOMER_EVENTS_MAX_BYTES: bytes(2_147_483_648),
  /** Domain events kept at most, in bytes: beyond it the oldest go. Reserved. Default 536,870,912. */
  DOMAIN_EVENTS_MAX_BYTES: bytes(536_870_912),
  /** Audit events that may wait for the database, in bytes: beyond it nothing can be changed. Reserved. Default 536,870,912. */
  AUDIT_MAX_BYTES: bytes(536_870_912),
  /** Time until the work of a lost process is given to another, in seconds. Default 30. */
  TASK_ACK_WAIT: seconds(30),
  /** How long results are kept, in seconds. Default 86,400. */
  RESULT_EXPIRES: seconds(86_400),
  /** Larger payloads are refused, in bytes. Default 262,144. */
  TASK_MAX_PAYLOAD: count(262_144, 67_108_864),
  /** Larger results are refused, in bytes. Default 262,144. */
  TASK_MAX_RESULT: count(262_144, 67_108_864),
};

export type BrokerConfiguration = Values<typeof brokerSettings>;

/**
 * Reads the settings of the broker alone.
 * @throws ConfigurationError with every problem
 */
export function loadBrokerConfiguration(environment: NodeJS.ProcessEnv): BrokerConfiguration {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- keys of an object lose their names
  const keys = Object.keys(brokerSettings) as (keyof typeof brokerSettings)[];
  return readSettings(brokerSettings, keys, environment);
}
