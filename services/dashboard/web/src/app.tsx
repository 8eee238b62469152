/** The frame: who is signed in, where one is, and whether what is shown is fresh. */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ApiError, call, messageOf } from './api.js';
import { duration } from './format.js';
import { useKeys } from './keys.js';
import { useLive } from './live.js';
import { Audit } from './pages/audit.js';
import { EditPayload } from './pages/edit-payload.js';
import { Failures } from './pages/failures.js';
import { Operations } from './pages/operations.js';
import { Overview } from './pages/overview.js';
import { People } from './pages/people.js';
import { Pipelines } from './pages/pipelines.js';
import { QueuePage, Queues } from './pages/queues.js';
import { SchedulePage, Schedules } from './pages/schedules.js';
import { refusalText, SignIn } from './pages/sign-in.js';
import { Task } from './pages/task.js';
import { Tasks } from './pages/tasks.js';
import { Tenants } from './pages/tenants.js';
import { Webhooks } from './pages/webhooks.js';
import { Workers } from './pages/workers.js';
import { Workflow } from './pages/workflow.js';
import { Workflows } from './pages/workflows.js';
import { goTo, KeysHelp, Palette } from './palette.js';
import { followLink, usePlace } from './router.js';
import type { RightName, Session, Snapshot } from '@stratum/dashboard/answers';
import { Empty, Failed, Icon, Loading, useLoaded } from './ui.js';

/** The token of a link is used once, and leaves the address at once. */
async function openSession(): Promise<Session> {
  const link = /^#link=([\w-]+)$/.exec(window.location.hash)?.[1];
  if (link !== undefined) {
    history.replaceState(null, '', window.location.pathname + window.location.search);
    await call('POST', '/api/session', { link });
  }
  return call<Session>('GET', '/api/session');
}

/** Why the provider of identities brought nobody in; it leaves the address at once. */
function takeRefusal(): string | undefined {
  const code = /^#sign-in=([a-z]+)$/.exec(window.location.hash)?.[1];
  if (code === undefined) return undefined;
  history.replaceState(null, '', window.location.pathname + window.location.search);
  return refusalText(code);
}

export function App(): JSX.Element {
  const [session, setSession] = useState<Session | null>();
  const [message, setMessage] = useState<string>();
  const load = (): void => {
    const refusal = takeRefusal();
    openSession().then(setSession, (error: unknown) => {
      const isStranger = error instanceof ApiError && error.status === 401;
      const isLink = isStranger && error.message.startsWith('The link');
      setMessage(!isStranger || isLink ? messageOf(error) : refusal);
      setSession(null);
    });
  };
  useEffect(load, []);
  if (session === undefined) return <Loading />;
  if (session === null) return <SignIn key={message} message={message} onSignedIn={load} />;
  return <Frame session={session} onSignedOut={() => setSession(null)} />;
}

interface Page {
  name: string;
  title: string;
  /** `undefined`: everybody. */
  right?: RightName;
  /** Opens it after `g`. */
  key: string;
}

const PAGES: readonly Page[] = [
  { name: 'overview', title: 'Overview', right: 'overview:see', key: 'o' },
  { name: 'tasks', title: 'Tasks', right: 'tasks:see', key: 't' },
  { name: 'workflows', title: 'Workflows', right: 'workflows:see', key: 'l' },
  { name: 'failures', title: 'Failures', right: 'failures:see', key: 'f' },
  { name: 'queues', title: 'Queues', right: 'queues:see', key: 'q' },
  { name: 'workers', title: 'Workers', right: 'workers:see', key: 'w' },
  { name: 'schedules', title: 'Schedules', right: 'schedules:see', key: 's' },
  { name: 'tenants', title: 'Tenants', right: 'tenants:see', key: 'n' },
  { name: 'pipelines', title: 'Pipelines', right: 'pipelines:see', key: 'p' },
  { name: 'webhooks', title: 'Webhooks', right: 'webhooks:see', key: 'h' },
  { name: 'audit', title: 'Audit', right: 'audit:see', key: 'a' },
  { name: 'operations', title: 'Operations', right: 'operations:see', key: 'b' },
  { name: 'people', title: 'People', key: 'e' },
];

/** What the viewer may see. A tenant's people begin with their data. */
function pagesOf(session: Session): readonly Page[] {
  const pages = PAGES.filter(({ right }) => right === undefined || session.rights.includes(right)).map(
    (page) =>
      page.name === 'people' && !session.rights.includes('people:manage')
        ? { ...page, title: 'Sessions' }
        : page,
  );
  if (session.tenant === null) return pages;
  return pages.toSorted((a, b) => Number(b.name === 'pipelines') - Number(a.name === 'pipelines'));
}

function Frame({ session, onSignedOut }: { session: Session; onSignedOut: () => void }): JSX.Element {
  const { path } = usePlace();
  const live = useLive(true);
  const pages = pagesOf(session);
  const current = path[0] ?? pages[0]?.name ?? '';
  const problems = live.snapshot?.problems?.length ?? 0;
  const [overlay, setOverlay] = useState<'palette' | 'help'>();
  useKeys({ pages, openPalette: () => setOverlay('palette'), openHelp: () => setOverlay('help') });
  useArrival(path.join('/'));
  useEffect(() => {
    document.title = `${PAGES.find(({ name }) => name === current)?.title ?? 'Stratum'} · Stratum`;
  }, [current]);
  const signOut = (): void => {
    call('DELETE', '/api/session').then(onSignedOut, onSignedOut);
  };
  return (
    <div class="frame" onClick={followLink}>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="side">
        <a class="brand" href="/">
          <img src="/icon.svg" alt="" width="26" height="26" />
          Stratum
        </a>
        <nav aria-label="Pages">
          {pages.map(({ name, title }) => (
            <a key={name} href={`/${name}`} aria-current={name === current ? 'page' : undefined}>
              {title}
              {name === 'overview' && problems > 0 && (
                <span class="pill">
                  {problems}
                  <span class="visually-hidden"> problems</span>
                </span>
              )}
            </a>
          ))}
        </nav>
        <div class="account">
          <button type="button" class="button jump" onClick={() => setOverlay('palette')}>
            <Icon name="search" />
            <span>Go to</span> <kbd>Ctrl K</kbd>
          </button>
          <Theme />
          <span class="faint" title={session.actor}>
            {session.tenant === null ? 'Platform' : `Tenant ${session.tenant}`}
          </span>
          <button type="button" class="button quiet" onClick={signOut}>
            Sign out
          </button>
        </div>
      </header>
      {overlay === 'palette' && <Palette pages={pages} onClose={() => setOverlay(undefined)} />}
      {overlay === 'help' && <KeysHelp pages={pages} onClose={() => setOverlay(undefined)} />}
      <main id="main" tabindex={-1}>
        <Freshness heardAt={live.heardAt} />
        <Content
          path={path}
          current={current}
          pages={pages}
          session={session}
          snapshot={live.snapshot}
          onSignedOut={onSignedOut}
        />
      </main>
    </div>
  );
}

/** Whoever goes to another page starts at its beginning: the link that led there may be gone. */
function useArrival(place: string): void {
  const last = useRef(place);
  useLayoutEffect(() => {
    if (last.current !== place) document.getElementById('main')?.focus({ preventScroll: true });
    last.current = place;
  }, [place]);
}

/** An address that names something by its id alone. */
function Go({ id }: { id: string }): JSX.Element {
  const { error, reload } = useLoaded(id, () => goTo(id));
  return error === undefined ? <Loading /> : <Failed error={error} retry={reload} />;
}

function Content({
  path,
  current,
  pages,
  session,
  snapshot,
  onSignedOut,
}: {
  path: string[];
  current: string;
  pages: readonly Page[];
  session: Session;
  snapshot: Snapshot | undefined;
  onSignedOut: () => void;
}): JSX.Element {
  const page = PAGES.find(({ name }) => name === current);
  if (page !== undefined && !pages.some(({ name }) => name === page.name))
    return (
      <Empty title="You may not see this page" isPage>
        {page.right === undefined ? '' : session.refusals[page.right]} Sign in as somebody who may, or ask an
        admin.
      </Empty>
    );
  const [, detail, part] = path;
  switch (current) {
    case 'overview':
      return <Overview snapshot={snapshot} session={session} />;
    case 'tasks':
      return detail === undefined ? (
        <Tasks snapshot={snapshot} session={session} />
      ) : part === 'edit' ? (
        <EditPayload key={detail} id={detail} session={session} />
      ) : (
        <Task key={detail} id={detail} snapshot={snapshot} session={session} />
      );
    case 'workflows':
      return detail === undefined ? (
        <Workflows />
      ) : (
        <Workflow key={detail} id={detail} snapshot={snapshot} session={session} />
      );
    case 'queues':
      return detail === undefined ? (
        <Queues snapshot={snapshot} session={session} />
      ) : (
        <QueuePage name={detail} snapshot={snapshot} session={session} />
      );
    case 'failures':
      return <Failures session={session} />;
    case 'workers':
      return <Workers snapshot={snapshot} session={session} />;
    case 'schedules':
      return detail === undefined ? (
        <Schedules session={session} />
      ) : (
        <SchedulePage key={detail} name={detail} session={session} />
      );
    case 'tenants':
      return <Tenants session={session} detail={detail} />;
    case 'pipelines':
      return <Pipelines session={session} detail={detail} />;
    case 'webhooks':
      return <Webhooks session={session} path={path.slice(1)} />;
    case 'operations':
      return <Operations session={session} detail={detail} />;
    case 'people':
      return <People session={session} onSignedOut={onSignedOut} />;
    case 'audit':
      return <Audit />;
    case 'go':
      return <Go key={detail} id={detail ?? ''} />;
    default:
      return (
        <Empty title="There is no such page" isPage>
          <a href="/">Go to the start</a>
        </Empty>
      );
  }
}

const STALE_MS = 8_000;

/** Nothing is shown as if it were fresh when it is not. */
function Freshness({ heardAt }: { heardAt: number }): JSX.Element | null {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const ageMs = now - heardAt;
  if (ageMs < STALE_MS) return null;
  return (
    <p class="banner" role="status">
      <Icon name="alert" />
      The connection to the dashboard is lost. What you see is {duration(ageMs)} old; it continues by itself.
    </p>
  );
}

const THEMES = ['system', 'light', 'dark'] as const;
type ThemeName = (typeof THEMES)[number];
const THEME_KEY = 'stratum-theme';

export function applyTheme(): ThemeName {
  const stored = localStorage.getItem(THEME_KEY);
  const theme = THEMES.find((each) => each === stored) ?? 'system';
  document.documentElement.dataset['theme'] = theme;
  return theme;
}

function Theme(): JSX.Element {
  const [theme, setTheme] = useState(applyTheme);
  return (
    <label class="theme">
      <span class="visually-hidden">Theme</span>
      <select
        value={theme}
        onChange={({ currentTarget }) => {
          localStorage.setItem(THEME_KEY, currentTarget.value);
          setTheme(applyTheme());
        }}
      >
        <option value="system">System</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}
