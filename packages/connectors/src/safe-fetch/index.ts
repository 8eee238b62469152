/** Requests to addresses that users typed. */
export {
  addressProblem,
  SafeFetch,
  SiteError,
  USER_AGENT,
  type FetchedPage,
  type SafeFetchOptions,
  type SendOptions,
  type SiteProblem,
} from './safe-fetch.js';
