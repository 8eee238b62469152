export { defineConfig, type StratumConfig, type StratumConfigOptions } from './application/define-config.js';
export { openStratum, type OpenStratumOptions, type Stratum } from './application/open-stratum.js';
export { createClient, type BatchItem, type ClientOptions, type JobsClient } from './client/client.js';
export type { CallOptions, ResultOptions, TaskOutcome } from './client/task-result.js';
export type { AskOptions, Control, RateWait, WorkerReply, WorkerView } from './client/control.js';
export type { SendEventOptions, SentEvent } from './client/send-event.js';
export { defineEvent, type EventContract, type EventOptions } from './events/define-event.js';
export type { Erased, EraseFilter } from './client/erase.js';
export type { RevokeOptions, RevokeResult } from './client/revoke.js';
export { keyLimitInForce } from './limits/in-force.js';
export type { KeyLimitChange } from './limits/change.js';
export type { KeyLine, KeyWait } from './limits/waits.js';
export { parseRate, type Rate } from './values/rate.js';
export type { KeyLimit, KeyLimitOptions } from './task/key-limits.js';
export type { KeyPath, PayloadKey, PayloadKeyOptions } from './task/payload-key.js';
export type { ContractDebounce, ContractDebounceOptions, DebounceOptions } from './task/contract-debounce.js';
export type { Breaker, BreakerOptions } from './task/breaker.js';
export { isServiceFailure } from './task/service-failure.js';
export type { CircuitView, OpenCircuitOptions } from './client/circuits.js';
export type { HeartBeat, KeyLimitSetting, RateLimit, TaskFilter } from './control/entries.js';
export { WORKER_CONDITIONS, type WorkerCondition } from './control/worker-condition.js';
export {
  INSPECT_VERBS,
  type ActiveTask,
  type HeldTask,
  type InspectVerb,
} from './control/worker-protocol.js';
export type { StatusOptions } from './record/lookup.js';
export type { EnqueueOptions } from './message/compose-task.js';
export type { Enqueued } from './message/enqueued.js';
export type { LaneDepths, QueueDepth } from './client/queue-depth.js';
export {
  createResultResponder,
  type ResultResponder,
  type ResultResponderOptions,
} from './housekeeping/result-responder.js';
export { connectToNats, type ConnectOptions, type TlsFiles } from './broker/connect.js';
export { MINIMUM_SERVER_VERSION } from './broker/server-version.js';
export { loginFrom, LOGIN_SETTINGS, type LoginSettings } from './broker/login-settings.js';
export type { DeadLetters, DiscardOptions } from './client/dead-letters.js';
export type { KeptLetter } from './client/letters/kept-letter.js';
export type { DeadLetter } from './client/letters/letter.js';
export type { DeadLetterFilter } from './client/letters/letter-search.js';
export type { ReplayManyOptions } from './client/letters/replay-many.js';
export type { ReplayOptions } from './client/letters/replay.js';
export {
  InvalidEventError,
  InvalidPayloadError,
  InvalidWorkflowError,
  JobsError,
  PublishError,
  ResultTimeoutError,
  SoftTimeLimitExceeded,
  StepsChangedError,
  TaskError,
  TaskFailedError,
  TaskRevokedError,
  TimeLimitExceeded,
  TopologyConflictError,
  WorkerShutdownError,
  type JobsErrorCode,
  type TaskErrorOptions,
  type WorkflowProblem,
} from './errors.js';
export {
  defineTask,
  parsePayload,
  type PayloadOf,
  type ResultOf,
  type TaskContract,
  type TaskLimits,
  type TaskOptions,
} from './task/define-task.js';
export type { Label, Labels } from './task/labels.js';
export { hideSensitive, restoreSensitive } from './task/hidden-fields.js';
export { maskPayload } from './task/sensitive.js';
export { TASK_DEFAULTS, type TaskDefaults } from './task/task-defaults.js';
export type { Backoff, RetryOptions } from './task/retry-policy.js';
export { isUnreachable } from './task/unreachable.js';
export {
  loggingMiddleware,
  metricsMiddleware,
  tracingMiddleware,
  type LoggingOptions,
} from './worker/middleware/built-in.js';
export type { EnqueueCall, EnqueueChanges, EnqueueMiddleware } from './middleware/enqueue-middleware.js';
export type { AttemptCall, AttemptEnd, Middleware } from './worker/middleware/middleware.js';
export type { TraceContext } from './telemetry/trace-context.js';
export type { LogMethod, Logger } from './telemetry/logger.js';
export type { MetricsRecorder } from './telemetry/metrics-recorder.js';
export type { PropagatedContext, Tracer, TracerSpan } from './telemetry/tracer.js';
export {
  defineTopology,
  type Queue,
  type QueueOptions,
  type StreamDeclaration,
  type Topology,
  type TopologyOptions,
} from './topology/define.js';
export { isJetStreamUp } from './broker/jetstream-watch.js';
export type { SettingChange } from './topology/limits.js';
export type { QueueShards } from './wire/shards.js';
export { discoverQueues } from './topology/discover.js';
export {
  reconcileStreams,
  reconcileTopology,
  type ReconcileOptions,
  type TopologyReport,
} from './topology/reconcile.js';
export {
  EVENT_STATES,
  reportedStepsSchema,
  taskEventSchema,
  type EventState,
  type ReportedStep,
  type ReportedSteps,
  type TaskEvent,
} from './wire/event.js';
export { DEAD_REASONS, type DeadReason } from './wire/dead-reason.js';
export type { FailedAttempt } from './wire/history.js';
export {
  DeadHeader,
  ServerHeader,
  TaskHeader,
  type ScheduledBy,
  type WorkflowPointer,
} from './wire/headers.js';
export { namesFor, PRIORITIES, type Names, type Priority } from './wire/names.js';
export {
  isFinal,
  taskRecordSchema,
  TASK_STATES,
  type TaskErrorRecord,
  type TaskProgress,
  type TaskRecord,
  type TaskState,
} from './wire/record.js';
export type { StepCallOptions, TaskContext } from './worker/context.js';
export type { EventOutcome, WaitOptions } from './steps/receive-event.js';
export type { BranchResults } from './steps/steps.js';
export type { Stored } from './steps/stored.js';
export { handleTask } from './isolation/handle-task.js';
export {
  type FailureContext,
  type FailureHook,
  type Handler,
  type HandlerFor,
  type HandlerOptions,
  type TaskFailure,
  type TaskHandler,
} from './worker/registry.js';
export { handleBatch, type BatchHandler, type BatchOptions, type BatchTask } from './worker/handle-batch.js';
export { isolateTask, type IsolationOptions } from './isolation/isolate-task.js';
export { createReaper, type Reaper, type ReaperOptions } from './housekeeping/reaper.js';
export { createWorker, type Worker } from './worker/worker.js';
export type { WorkerOptions } from './worker/worker-config.js';
export { fastClock, type ScheduleClock } from './schedule/clock.js';
export {
  CATCH_UP_POLICIES,
  MAX_ENTRY_NAME,
  OVERLAP_POLICIES,
  type EntryState,
  type ScheduleEntryOptions,
  type StoredEntry,
} from './schedule/entry.js';
export type { SchedulersView } from './schedule/schedulers.js';
export { createScheduler, type Scheduler, type SchedulerOptions } from './schedule/scheduler.js';
export type { ClosedTenants } from './task/closed-tenants.js';
export {
  openSchedules,
  type Schedules,
  type SchedulesOptions,
  type ListSchedulesOptions,
  type ScheduleView,
} from './schedule/schedules.js';
export { chain, chord, group, step, type GroupOptions } from './workflow/builders.js';
export {
  workflowDefinitionSchema,
  type Chain,
  type Chord,
  type Group,
  type Reference,
  type Step,
  type StepOptions,
  type WorkflowDefinition,
} from './workflow/definition.js';
export {
  WORKFLOW_STATES,
  workflowSummarySchema,
  type FailedStep,
  type WorkflowNode,
  type WorkflowOutcome,
  type WorkflowPage,
  type WorkflowState,
  type WorkflowSummary,
  type WorkflowView,
} from './workflow/view.js';
export type { Typed, WorkflowResult } from './workflow/typing.js';
export type { CancelResult } from './client/cancel-workflow.js';
export type { WorkflowResultOptions, Workflows } from './client/workflows.js';
export type { ListWorkflowsOptions } from './workflow/list.js';
export type { StartWorkflowOptions, WorkflowStarted } from './workflow/start.js';
export {
  createWorkflowMaintenance,
  type WorkflowMaintenance,
  type WorkflowMaintenanceOptions,
} from './housekeeping/workflow-maintenance.js';
