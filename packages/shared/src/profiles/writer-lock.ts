/** One writer of a tenant's events at a time, with the tenant's id as `$1`. Also taken to undo a merge. */
export const WRITER_LOCK = "pg_advisory_xact_lock(hashtext('stratum.customer_events'), hashtext($1::text))";
