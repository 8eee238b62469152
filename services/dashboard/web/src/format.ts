/** Numbers and times as people read them. */

export function count(n: number): string {
  return n.toLocaleString('en');
}

export function rate(perSecond: number | null): string {
  if (perSecond === null) return '–';
  if (perSecond === 0) return '0';
  if (perSecond < 0.1) return `${(perSecond * 60).toFixed(1)}/min`;
  return `${perSecond.toLocaleString('en', { maximumFractionDigits: perSecond < 10 ? 1 : 0 })}/s`;
}

/** In the largest unit that fits. */
export function duration(ms: number | null): string {
  if (ms === null) return '–';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return inUnits(minutes, 'min', seconds % 60, 's');
  const hours = Math.floor(minutes / 60);
  return hours < 48
    ? inUnits(hours, 'h', minutes % 60, 'min')
    : inUnits(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function inUnits(n: number, unit: string, rest: number, smaller: string): string {
  return rest === 0 ? `${n} ${unit}` : `${n} ${unit} ${rest} ${smaller}`;
}

/** How old something is, as coarse as people say it. */
export function age(ms: number | null): string {
  if (ms === null) return '–';
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return 'seconds';
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

export function since(at: string | null, now: number): number | null {
  return at === null ? null : Math.max(0, now - Date.parse(at));
}

const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const EXACT = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'medium',
  timeStyle: 'long',
});

/** The time of today, or the day as well. */
export function clock(at: string): string {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? CLOCK.format(date) : `${DAY.format(date)}, ${CLOCK.format(date)}`;
}

/** With milliseconds and zone. */
export function exact(at: string): string {
  return `${EXACT.format(new Date(at))} (${at})`;
}

export function bytes(n: number | undefined): string {
  return n === undefined ? '–' : `${Math.round(n / 1_048_576)} MiB`;
}

export function shortId(id: string, most = 16): string {
  return id.length <= most ? id : `${id.slice(0, 8)}…${id.slice(-6)}`;
}
