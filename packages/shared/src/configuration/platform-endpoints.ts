/** The settings that say where the ad platforms are. */
import {
  PLATFORM_SETTINGS,
  type PlatformEndpoints,
  type PlatformSetting,
} from '@stratum/connectors/ad-platforms';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- keys of an object lose their names
export const ENDPOINT_SETTINGS = Object.keys(PLATFORM_SETTINGS) as readonly PlatformSetting[];

/** The endpoints alone, out of a configuration that has more. */
export function endpointsFrom(configuration: PlatformEndpoints): PlatformEndpoints {
  const values = ENDPOINT_SETTINGS.map((setting) => [setting, configuration[setting]]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- fromEntries loses the names of the keys
  return Object.fromEntries(values) as PlatformEndpoints;
}
