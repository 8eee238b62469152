/** Whether the facts can be trusted: their age, and how quickly the broker answers. */
import type { Facts, Problem } from './facts.js';
import { duration } from './words.js';

/** A snapshot is read every two seconds. */
const DATABASE_SILENT_MS = 7_000;
/** A sample is taken every four seconds. */
const BROKER_SILENT_MS = 10_000;
const BEHIND_MS = 6_000;
/** Tasks start and end with several answers of the broker each. */
const SLOW_ANSWER_MS = 500;

/** Why nothing is known, if so. */
export function dataProblem({ databaseSilentMs, brokerSilentMs }: Facts): Problem | undefined {
  if (databaseSilentMs > DATABASE_SILENT_MS)
    return {
      code: 'database_silent',
      title: 'The database does not answer.',
      evidence: `Nothing could be read for ${duration(databaseSilentMs)}.`,
      remedy: 'Check that PostgreSQL runs and that the dashboard reaches it; its log has the error.',
      link: 'overview',
    };
  if (brokerSilentMs === null)
    return {
      code: 'not_sampled',
      title: 'The state of the platform is not known yet.',
      evidence: 'No sample of the broker has come yet.',
      remedy: 'Wait a few seconds.',
      link: 'overview',
    };
  if (brokerSilentMs <= BROKER_SILENT_MS) return undefined;
  return {
    code: 'broker_silent',
    title: 'The broker does not answer.',
    evidence: `It is asked every four seconds, and has not answered for ${duration(brokerSilentMs)}.`,
    remedy: 'Check that NATS runs and that the dashboard reaches it; its log has the error.',
    link: 'overview',
  };
}

export function freshnessProblems({ historyBehindMs, signals }: Facts): Problem[] {
  const problems: Problem[] = [];
  if (historyBehindMs > BEHIND_MS)
    problems.push({
      code: 'history_behind',
      title: 'This dashboard is behind: its history does not show the newest events.',
      evidence: `Events wait for ${duration(historyBehindMs)}.`,
      remedy: 'Look into the log of the dashboard for the error of the projector.',
      link: 'overview',
    });
  if (signals.answer_ms > SLOW_ANSWER_MS)
    problems.push({
      code: 'broker_slow',
      title: 'The broker answers slowly, and with it every task.',
      evidence: `An answer of JetStream took ${signals.answer_ms.toLocaleString('en')} ms; some milliseconds are usual.`,
      remedy: 'Look at the disk and the load of the NATS server, and at the network in between.',
      link: 'overview',
    });
  return problems;
}
