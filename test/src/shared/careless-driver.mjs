/** Preloaded by a service: its database driver puts all settings into its error, as careless libraries do. */
import dns from 'node:dns';

const lookUp = dns.lookup;
dns.lookup = (host, options, callback) => {
  if (host !== 'careless.test') return lookUp(host, options, callback);
  const secrets = { NATS_URL: process.env.NATS_URL, DATABASE_URL: process.env.DATABASE_URL };
  const error = new Error(
    `careless: ${JSON.stringify(secrets)} ${process.env.STRATUM_CREDENTIALS_KEY} ${process.env.META_AD_LIBRARY_TOKEN}`,
  );
  Object.assign(error, {
    code: 'ENOTFOUND',
    secrets,
    config: { deep: { deeper: { deepest: { password: 'planted-9' } } } },
    request: { headers: { authorization: 'Bearer planted-token-10' } },
  });
  process.nextTick(callback, error);
};
