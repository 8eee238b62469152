/** The ad platforms. To add one, write its folder and name its definition here. */
import { z } from 'zod';
import type { AdPlatform, EndpointSetting } from './definition.js';
import { google } from './google/definition.js';
import { meta } from './meta/definition.js';
import { snapchat } from './snapchat/definition.js';
import { tiktok } from './tiktok/definition.js';

const PLATFORMS = [meta, google, tiktok, snapchat] as const;

type Definition = (typeof PLATFORMS)[number];
type SettingsOf<Each> = Each extends { endpoints: infer Settings } ? keyof Settings & string : never;

export type PlatformName = Definition['name'];
export type PlatformCredentials = z.output<Definition['credentials']>;
/** Environment variables that say where the platforms are. */
export type PlatformSetting = SettingsOf<Definition>;
/** Where the platforms are, by setting. */
export type PlatformEndpoints = Readonly<Record<PlatformSetting, string>>;

export const PLATFORM_NAMES: readonly PlatformName[] = PLATFORMS.map(({ name }) => name);

const credentialSchemas = PLATFORMS.map(({ credentials }) => credentials);
export const platformCredentialsSchema: z.ZodType<PlatformCredentials> = z.union(credentialSchemas);

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- fromEntries loses the names of the keys
export const PLATFORM_SETTINGS = Object.fromEntries(
  PLATFORMS.flatMap(({ endpoints }) => Object.entries<EndpointSetting>(endpoints)),
) as Readonly<Record<PlatformSetting, EndpointSetting>>;

/** A platform of which it is not known which one it is. */
type RegisteredPlatform = Omit<AdPlatform<PlatformName>, 'credentials'> & {
  credentials: z.ZodType<PlatformCredentials>;
};

/** @throws Error when there is no platform of that name */
export function adPlatform(name: string): RegisteredPlatform {
  const platform = PLATFORMS.find((each) => each.name === name);
  if (platform === undefined)
    throw new Error(`There is no ad platform "${name}"; there are ${PLATFORM_NAMES.join(', ')}.`);
  return platform;
}
