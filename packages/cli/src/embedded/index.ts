/** A real PostgreSQL for development and tests, from npm's packages. Not meant for production. */
export { startPostgres, endStalePostgres, type EmbeddedPostgres, type PostgresOptions } from './postgres.js';
export { programsIn } from './postgres-programs.js';
