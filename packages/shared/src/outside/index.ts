/** Requests to addresses that users typed. */
export {
  SafeFetch,
  SiteError,
  USER_AGENT,
  type FetchedPage,
  type SafeFetchOptions,
  type SendOptions,
} from './safe-fetch.js';
