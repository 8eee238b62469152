/** Dependencies of the handlers of the intel queue. */
import type { SafeFetch } from '@stratum/connectors/safe-fetch';
import type { Pool } from 'pg';
import type { AdLibrary } from './ad-library/ad-library.js';

export interface IntelDependencies {
  /** Connected as `stratum_intel_worker`. */
  pool: Pool;
  site: SafeFetch;
  /** `undefined` where nobody has given access to it. */
  adLibrary: AdLibrary | undefined;
}
