-- What people have decided about a cause of failures. resolved: open again with the next failure. ignored: until somebody opens it again.
CREATE TABLE failure_state (
  error_group  bigint NOT NULL,
  task         smallint NOT NULL,
  state        text NOT NULL CHECK (state IN ('resolved', 'ignored')),
  actor        text NOT NULL,
  changed_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (error_group, task)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON failure_state TO stratum_dashboard;
