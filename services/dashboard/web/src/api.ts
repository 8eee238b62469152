/** Calls of the server. */
import { withBase } from './base-path.js';

/** What the server says went wrong. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

const TIMEOUT_MS = 10_000;

/** @param body a text is JSON already */
export async function call<Answer>(method: string, path: string, body?: object | string): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(withBase(path), {
      method,
      headers: {
        'x-stratum-dashboard': '1',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    const isLate = cause instanceof DOMException && cause.name === 'TimeoutError';
    throw new ApiError(
      0,
      isLate
        ? 'The dashboard took longer than ten seconds to answer. Try again.'
        : 'The dashboard cannot be reached. Check that it still runs.',
    );
  }
  const text = await response.text();
  const answer: unknown = text === '' ? undefined : JSON.parse(text);
  if (!response.ok) throw new ApiError(response.status, detailOf(answer) ?? response.statusText);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the server and its pages are built together
  return answer as Answer;
}

function detailOf(answer: unknown): string | undefined {
  return typeof answer === 'object' && answer !== null && 'detail' in answer
    ? String(answer.detail)
    : undefined;
}

export function query(values: Record<string, string | number | null | undefined>): string {
  const given = Object.entries(values).filter(
    ([, value]) => value !== undefined && value !== null && value !== '',
  );
  const text = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
  return text === '' ? '' : `?${text}`;
}

/** What went wrong, in words for the person at the page. */
export function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}
