import type { Attempt, Run } from '@stratum/dashboard/answers';

/** One that is not stored with its attempts has had one at most, and says all of it. */
export function attemptsOf(run: Run): Attempt[] {
  if (run.attempts !== null) return run.attempts;
  if (run.started_at === null) return [];
  return [
    {
      state: run.state,
      at: run.finished_at ?? run.changed_at ?? run.started_at,
      retries: run.retries,
      delivery: null,
      worker: run.worker,
      version: run.worker_version,
      ready_at: run.ready_at,
      started_at: run.started_at,
      runtime_ms: run.runtime_ms,
      // A run with steps is stored with its attempts.
      steps: null,
      error:
        run.error_type === null
          ? null
          : { type: run.error_type, message: run.error_message ?? '', group: run.error_group ?? '' },
    },
  ];
}
