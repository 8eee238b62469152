export { readSite, type SiteFacts } from './read-site.js';
