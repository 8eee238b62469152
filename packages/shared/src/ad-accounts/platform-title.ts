/** Ad platforms by the names that people know them by. */
import { adPlatform, PLATFORM_NAMES } from '@stratum/connectors/ad-platforms';

/** A platform that an older or newer version has stored keeps its own name. */
export function platformTitle(platform: string): string {
  const known = PLATFORM_NAMES.find((name) => name === platform);
  return known === undefined ? platform : adPlatform(known).title;
}
