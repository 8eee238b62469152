/** The ad platforms that the sandbox simulates. To add one, write its folder and name its definition here. */
import { google } from './google/definition.js';
import { meta } from './meta/definition.js';
import { snapchat } from './snapchat/definition.js';
import { tiktok } from './tiktok/definition.js';

export const SIMULATIONS = { meta, google, tiktok, snapchat } as const;

export type SandboxPlatform = keyof typeof SIMULATIONS;

type SettingsOf<Each> = Each extends { endpoints: infer Settings } ? keyof Settings & string : never;

/** Base addresses, by the environment variable that leads a service to each. */
export type SandboxEndpoints = Record<SettingsOf<(typeof SIMULATIONS)[SandboxPlatform]>, string>;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- keys loses the names
export const SANDBOX_PLATFORMS = Object.keys(SIMULATIONS) as readonly SandboxPlatform[];

/** Where a sandbox at this address shows each platform. */
export function endpointsAt(url: string): SandboxEndpoints {
  const paths = Object.values(SIMULATIONS).flatMap(({ endpoints }) => Object.entries<string>(endpoints));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- fromEntries loses the names of the keys
  return Object.fromEntries(paths.map(([setting, path]) => [setting, `${url}${path}`])) as SandboxEndpoints;
}
