/** The schema of the database, brought up to date by the command and by tests. */
export { migrate, type MigrateOptions } from './migrate.js';
export { createServiceRoles } from './derived-schema.js';
