/** The circuits of the ad platforms: one for each, over all tenants and all tasks that call it. */
import type { BreakerOptions } from '@stratum/jobs';
import { PlatformError } from '@stratum/connectors/ad-platforms';

/** Without its key: how a payload names the platform. */
export const adPlatformBreaker = {
  service: 'ad_platform',
  failures: 5,
  // One tenant alone tries again after ten seconds and more.
  windowMs: 300_000,
  pauseMs: 30_000,
  // A platform that is back is noticed within the quarter of an hour that a budget may run on.
  longestPauseMs: 900_000,
  // A quota or a token is one account's matter.
  isFailure: (error) => error instanceof PlatformError && error.kind === 'transient',
} satisfies BreakerOptions<never>;
