/** The durable steps of a run, as its last attempt left them. */
import type { JSX } from 'preact';
import type { Run, Step } from '@stratum/dashboard/answers';
import { attemptsOf } from '../attempts.js';
import { count, duration } from '../format.js';
import { Badge, Scroll, Time } from '../ui.js';

const LOOKS: Readonly<Record<Step['state'], readonly [icon: string, look: string, word: string]>> = {
  done: ['success', 'success', 'Done'],
  failed: ['failure', 'failure', 'Failed'],
  waiting: ['scheduled', 'scheduled', 'Waiting'],
};

export function Steps({ run }: { run: Run }): JSX.Element | null {
  const steps = attemptsOf(run).findLast((attempt) => attempt.steps !== null)?.steps;
  if (steps === undefined || steps === null) return null;
  const left = steps.total - steps.newest.length;
  return (
    <section class="card">
      <h2>Steps</h2>
      {left > 0 && (
        <p class="faint">
          The newest {count(steps.newest.length)} of {count(steps.total)}.
        </p>
      )}
      <Scroll label="Steps">
        <table>
          <thead>
            <tr>
              <th>Step</th>
              <th>State</th>
              <th class="number">Attempts</th>
              <th>Began</th>
              <th>Took</th>
            </tr>
          </thead>
          <tbody>
            {steps.newest.map((step) => (
              <Row key={step.position} step={step} />
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}

function Row({ step }: { step: Step }): JSX.Element {
  const [icon, look, word] = LOOKS[step.state];
  return (
    <tr>
      <th scope="row">
        <Name step={step} /> <span class="faint mono">{step.position}</span>
      </th>
      <td>
        <Badge icon={icon} look={look} word={word} />
      </td>
      <td class="number">{count(step.attempts)}</td>
      <td>
        <Time at={step.started_at} />
      </td>
      <td>
        <Took step={step} />
      </td>
    </tr>
  );
}

function Name({ step: { kind, name, task_id: taskId } }: { step: Step }): JSX.Element {
  if (kind === 'event') return <>event {name}</>;
  if (kind !== 'task') return <>{name}</>;
  return <>task {taskId === undefined ? name : <a href={`/tasks/${taskId}`}>{name}</a>}</>;
}

function Took({ step: { state, started_at: from, ended_at: ended, until } }: { step: Step }): JSX.Element {
  if (state === 'waiting' && until !== undefined)
    return (
      <>
        until <Time at={until} />
      </>
    );
  const end = ended ?? until;
  return <>{end === undefined ? '–' : duration(Date.parse(end) - Date.parse(from))}</>;
}
