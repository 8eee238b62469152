/** What a description in OpenAPI has to say of the answers of a route. */
import { expect } from 'vitest';

export type DescribedAnswers = Record<string, { content?: Record<string, { schema?: object }> }>;

const WITHOUT_BODY = new Set(['204', '303']);

/** Every route says what it answers when all goes well: the shape of each body, or that there is none. */
export function requireAnswers(route: string, responses: DescribedAnswers): void {
  const good = Object.entries(responses).filter(([status]) => /^[23]/.test(status));
  expect(good, `${route}: its answers`).not.toEqual([]);
  for (const [status, { content }] of good) {
    expect(status, route).toMatch(/^\d{3}$/);
    const bodies = Object.values(content ?? {});
    expect(bodies.length > 0, `${route} ${status}: whether it has a body`).toBe(!WITHOUT_BODY.has(status));
    for (const { schema = {} } of bodies)
      expect(Object.keys(schema), `${route} ${status}: the schema of its body`).not.toEqual([]);
  }
}
