export { readSite } from './read-site.js';
export type { SiteFacts } from './page-facts.js';
