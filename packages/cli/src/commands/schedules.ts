import {
  CATCH_UP_POLICIES,
  openSchedules,
  OVERLAP_POLICIES,
  PRIORITIES,
  type ScheduleEntryOptions,
  type Schedules,
  type ScheduleView,
} from '@stratum/jobs';
import { TASKS } from '@stratum/shared';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parseObject } from '../arguments.js';
import { durationText, parseDuration } from '../duration.js';
import { withClient } from '../environment.js';
import { printJson, printTable, styled } from '../output.js';

interface JsonOption {
  json?: boolean;
}

interface EntryOptions extends JsonOption {
  task?: string;
  payload?: Record<string, unknown>;
  cron?: string;
  every?: number;
  timeZone?: string;
  priority?: (typeof PRIORITIES)[number];
  jitter?: number;
  deadline?: number;
  catchUp?: (typeof CATCH_UP_POLICIES)[number];
  catchUpWindow?: number;
  overlap?: (typeof OVERLAP_POLICIES)[number];
  pauseOnFailure?: boolean;
}

const SHOWN_TIMES = 10;

export function schedulesCommand(): Command {
  return new Command('schedules')
    .description('Look at the schedule and change it.')
    .addCommand(
      new Command('list')
        .description('Every entry with its next time and its last run.')
        .option('--json', 'print JSON')
        .addHelpText('after', example('list'))
        .action(async ({ json }: JsonOption) => {
          const entries = await withSchedules((schedules) => schedules.list());
          if (json) printJson(entries);
          else printEntries(entries);
        }),
    )
    .addCommand(
      new Command('show')
        .description('One entry: what it says, its next ten times, its last run, what it missed.')
        .argument('<entry>', 'name of the entry')
        .option('--json', 'print JSON')
        .addHelpText('after', example('show sync_all_campaigns'))
        .action(show),
    )
    .addCommand(
      entryOptions(new Command('add').description('Add an entry.').argument('<name>', 'name of the entry'))
        .addHelpText(
          'after',
          `\nExample:\n  stratum schedules add nightly --task sync_campaign_data --payload '{"tenant_id":1,"platform":"meta"}' --cron '0 3 * * *' --time-zone Europe/Berlin`,
        )
        .action(async (name: string, options: EntryOptions) => {
          const { task = '', ...fields } = entryFields(options);
          const entry: ScheduleEntryOptions = { name, task, ...fields };
          report(await withSchedules((schedules) => schedules.add(entry)), options);
        }),
    )
    .addCommand(
      entryOptions(
        new Command('edit')
          .description('Change what is given of an entry.')
          .argument('<entry>', 'name of the entry'),
      )
        .addHelpText('after', example("edit nightly --cron '30 4 * * *'"))
        .action(async (name: string, options: EntryOptions) => {
          const fields: Record<string, unknown> = entryFields(options);
          // Of the two ways to say when, the one that is given replaces the other.
          if (options.cron !== undefined) fields['every_ms'] = null;
          if (options.every !== undefined) fields['cron'] = null;
          report(await withSchedules((schedules) => schedules.edit(name, fields)), options);
        }),
    )
    .addCommand(
      new Command('pause')
        .description('Let nothing of an entry run until it is resumed.')
        .argument('<entry>', 'name of the entry')
        .option('--reason <text>', 'shown in the list', 'by hand')
        .option('--json', 'print JSON')
        .addHelpText('after', example("pause sync_all_campaigns --reason 'the platform is down'"))
        .action(async (name: string, { reason, json }: { reason: string } & JsonOption) => {
          const entry = await withSchedules((schedules) => schedules.pause(name, reason));
          if (json) printJson(entry);
          else console.log(`${name} is paused.`);
        }),
    )
    .addCommand(
      new Command('resume')
        .description('Let an entry run again; what it missed while paused is not caught up.')
        .argument('<entry>', 'name of the entry')
        .option('--json', 'print JSON')
        .addHelpText('after', example('resume sync_all_campaigns'))
        .action(async (name: string, { json }: JsonOption) => {
          const entry = await withSchedules((schedules) => schedules.resume(name));
          if (json) printJson(entry);
          else console.log(`${name} runs again, next at ${entry.next ?? '–'}.`);
        }),
    )
    .addCommand(
      new Command('run')
        .description('Run an entry now, besides its times.')
        .argument('<entry>', 'name of the entry')
        .option('--json', 'print JSON')
        .addHelpText('after', example('run run_all_predictions'))
        .action(async (name: string, { json }: JsonOption) => {
          const enqueued = await withSchedules((schedules) => schedules.run(name));
          if (json) printJson(enqueued);
          else console.log(enqueued.id);
        }),
    )
    .addCommand(
      new Command('backfill')
        .description('Run the times of an entry that lie in a past range.')
        .argument('<entry>', 'name of the entry')
        .requiredOption('--from <time>', 'after this time, for example 2026-11-20T00:00:00Z', parseTime)
        .option('--to <time>', 'up to this time; default: now', parseTime)
        .option('--all-at-once', 'do not wait for each run to end before the next')
        .option('--json', 'print JSON')
        .addHelpText('after', example('backfill calculate_daily_scores --from 2026-11-20T00:00:00Z'))
        .action(
          async (name: string, options: { from: Date; to?: Date; allAtOnce?: boolean } & JsonOption) => {
            const { from, to = new Date(), allAtOnce = false, json } = options;
            const ticks = await withSchedules((schedules) =>
              schedules.backfill(name, { from, to, oneByOne: !allAtOnce }),
            );
            if (json) printJson(ticks);
            else
              console.log(
                ticks.length === 0
                  ? 'No time of it lies in that range.'
                  : `${ticks.length} runs will follow.`,
              );
          },
        ),
    )
    .addCommand(
      new Command('remove')
        .description('Remove an entry.')
        .argument('<entry>', 'name of the entry')
        .option('--json', 'print JSON')
        .addHelpText('after', example('remove nightly'))
        .action(async (name: string, { json }: JsonOption) => {
          await withSchedules((schedules) => schedules.remove(name));
          if (json) printJson({ name, removed: true });
          else console.log(`${name} is removed.`);
        }),
    );
}

function example(line: string): string {
  return `\nExample:\n  stratum schedules ${line}`;
}

function entryOptions(command: Command): Command {
  return command
    .option('--task <task>', 'the task to run')
    .option('--payload <json>', 'its payload, a JSON object', parseObject)
    .option('--cron <expression>', 'five fields: minute hour day month weekday; or six with seconds in front')
    .option('--every <duration>', 'an interval such as 90s or 6h, instead of --cron', parseDuration)
    .option('--time-zone <zone>', 'of the cron expression, for example Europe/Berlin; default: UTC')
    .addOption(new Option('--priority <lane>', "default: the task's own").choices(PRIORITIES))
    .option('--jitter <duration>', 'start each run up to this much later', parseDuration)
    .option(
      '--deadline <duration>',
      'a time this long ago still runs as if on time; default: 60s',
      parseDuration,
    )
    .addOption(new Option('--catch-up <policy>', 'which older times still run').choices(CATCH_UP_POLICIES))
    .option('--catch-up-window <duration>', 'how far back a catch-up goes; default: 1d', parseDuration)
    .addOption(new Option('--overlap <policy>', 'while an earlier run goes on').choices(OVERLAP_POLICIES))
    .option('--pause-on-failure', 'pause the entry when a run has failed for good')
    .option('--json', 'print JSON');
}

function entryFields(options: EntryOptions): Partial<ScheduleEntryOptions> {
  const fields = {
    task: options.task,
    payload: options.payload,
    cron: options.cron,
    every_ms: options.every,
    time_zone: options.timeZone,
    priority: options.priority,
    jitter_ms: options.jitter,
    starting_deadline_ms: options.deadline,
    catch_up: options.catchUp,
    catch_up_window_ms: options.catchUpWindow,
    overlap: options.overlap,
    pause_on_failure: options.pauseOnFailure,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

async function show(name: string, { json }: JsonOption): Promise<void> {
  const { entry, upcoming } = await withSchedules(async (schedules) => ({
    entry: await schedules.get(name),
    upcoming: await schedules.upcoming(name, SHOWN_TIMES),
  }));
  if (json) {
    printJson({ ...entry, upcoming });
    return;
  }
  printEntries([entry]);
  const { last_run: run, last_missed: missed } = entry.state;
  if (run !== null) console.log(`\nLast run: ${run.id}, for ${run.tick}: ${run.outcome ?? 'under way'}`);
  if (missed !== null)
    console.log(`Last missed: ${missed.since} to ${missed.until}, because ${MISS_WORDS[missed.reason]}`);
  console.log(`\nNext times in ${entry.time_zone}:`);
  for (const time of upcoming) {
    const { time_zone: timeZone } = entry;
    const local = time.toLocaleString('sv-SE', { timeZone, timeZoneName: 'shortOffset' });
    const utc = time.toISOString();
    console.log(timeZone === 'UTC' ? `  ${utc}` : `  ${local}   ${styled('dim', utc)}`);
  }
}

const MISS_WORDS = { down: 'no scheduler ran', overlap: 'an earlier run went on' } as const;

function printEntries(entries: readonly ScheduleView[]): void {
  if (entries.length === 0) {
    console.log('There is no entry. The scheduler adds those of the code when it first runs.');
    return;
  }
  printTable(
    ['entry', 'when', 'queue', 'next', 'last run', 'outcome', 'fired', 'missed', ''],
    entries.map(
      ({ name, cron, every_ms: everyMs, time_zone: zone, queue, next, state, paused, warnings }) => [
        name,
        cron === undefined
          ? `every ${durationText(everyMs ?? 0)}`
          : `${cron}${zone === 'UTC' ? '' : ` ${zone}`}`,
        queue,
        next,
        state.last_run?.tick ?? null,
        state.last_run === null ? null : (state.last_run.outcome ?? 'under way'),
        state.fired,
        state.missed,
        [...(paused === null ? [] : [`paused: ${paused.reason}`]), ...warnings].join('; '),
      ],
    ),
  );
}

function report(entry: ScheduleView, { json }: JsonOption): void {
  if (json) printJson(entry);
  else printEntries([entry]);
}

function withSchedules<T>(work: (schedules: Schedules) => Promise<T>): Promise<T> {
  return withClient(async ({ connection, topology }) => {
    const schedules = openSchedules({ connection, topology, contracts: TASKS });
    try {
      return await work(schedules);
    } finally {
      await schedules.close();
    }
  });
}

function parseTime(text: string): Date {
  const time = new Date(text);
  if (!Number.isNaN(time.getTime())) return time;
  throw new InvalidArgumentError('Give a time such as 2026-11-20T03:00:00Z.');
}
