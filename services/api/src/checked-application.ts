/** What the settings of the API have to say together, before anything is opened. */
import {
  ConfigurationError,
  isLoopback,
  openApplication,
  PLATFORM,
  platformTopology,
  type Application,
  type Configuration,
} from '@stratum/shared';
import type { API_SETTINGS } from './settings.js';

type ApiConfiguration = Pick<Configuration, (typeof API_SETTINGS)[number]>;

/** The application that the API serves. @throws ConfigurationError */
export async function checkedApplication(configuration: ApiConfiguration): Promise<Application> {
  requirePublicUrl(configuration);
  const application = await openApplication(configuration.STRATUM_CONFIG);
  const own = application.topology(configuration).names.prefix;
  if (application !== PLATFORM && own === platformTopology(configuration).names.prefix)
    throw new ConfigurationError([
      `the prefix of ${configuration.STRATUM_CONFIG} is "${own}", which is the platform's; choose another one`,
    ]);
  return application;
}

/** What a request says of its own host can be made up, so addresses in answers and signatures never come from it. */
function requirePublicUrl({ API_HOST: host, API_PUBLIC_URL: url }: ApiConfiguration): void {
  if (url !== undefined || isLoopback(host)) return;
  throw new ConfigurationError([
    `API_PUBLIC_URL is not set, and API_HOST is ${host}: set it to the address at which clients reach the API, such as https://api.example.com`,
  ]);
}
