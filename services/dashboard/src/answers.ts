/** Types of what the server answers, for the pages: they are read from JSON as they are here. */
export type { TaskRecord, WorkerView as Worker } from '@stratum/jobs';
export type { RightName } from './access/rights.js';
export type { CheckedPayload, DifferenceLine, EditableLetter } from '@stratum/shared/dead-letters';
export type { FailureGroup } from './failures/failure-groups.js';
export type { GroupReplay } from './failures/replay-group.js';
export type { ReplayOutcome } from './failures/replay-letter.js';
export type { ReportedStep as Step } from '@stratum/jobs';
export type { Moment as Attempt, RunState, RunView as Run, WaitingTask } from '@stratum/shared/task-history';
export type { Mark } from './live/marks.js';
export type { Series as SeriesData } from './live/series.js';
export type { QueueSnapshot as Queue } from './live/read-state.js';
export type { Snapshot } from './live/snapshots.js';
export type { Operation, OperationDetail, OperationItem } from '@stratum/shared/operations';
export type { Problem, ProblemCode } from './overview/facts.js';
export type { PipelineOverview, PipelineRow, PlatformCell } from './pipelines/overview.js';
export type {
  JobRow,
  PipelineAccount,
  PipelineAlert,
  TenantPipeline,
} from './pipelines/tenant-pipeline-view.js';
export type { OpenSession } from './access/sessions.js';
export type { GoPlace } from './routes/go.js';
export type { AuditPage } from './routes/audit.js';
export type { Session } from './routes/session.js';
export type { SignInOffer } from './routes/sign-in.js';
export type { SignInRefusal } from './access/provider.js';
export type { DashboardUser, Role } from '@stratum/shared/dashboard-users';
export type { RunHistogram, Measure } from './tasks/histogram.js';
export type { NewView, SavedView } from './tasks/saved-views.js';
export type { Suggestions, TaskPage } from './routes/tasks.js';
export type { WorkflowPage } from './routes/workflows.js';
export type { EntryView as ScheduleEntry } from './schedules/schedule-view.js';
export type { EntryTicks, PastTick } from './schedules/ticks.js';
export type { TenantOverview, TenantRow } from './tenants/overview.js';
export type { TenantDetail, TenantLimit } from './tenants/tenant.js';
export type { DeliveryPage, DeliveryView } from './webhooks/delivery-view.js';
export type { WebhookOverview, WebhookRow } from './webhooks/overview.js';
export type { Finding } from './why/finding.js';
export type { GraphNode, ManyNode, NodeState, StepNode } from './workflows/graph.js';
export type { WorkflowItem, WorkflowList } from './workflows/list-workflows.js';
