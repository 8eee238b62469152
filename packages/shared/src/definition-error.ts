import type { z } from 'zod';

/** A rule, segment or funnel that means nothing; the message names each field. */
export class DefinitionError extends Error {
  readonly code = 'invalid_definition';
  readonly retryable = false;

  constructor(what: 'rule' | 'segment' | 'funnel', { issues }: z.core.$ZodError) {
    const problems = issues.flatMap((issue) => problemsOf(issue, []));
    super(`The ${what}'s definition is not valid: ${problems.join('; ')}.`);
    this.name = 'DefinitionError';
  }
}

/** Of the allowed forms of a part, the closest one gives the error message. */
function problemsOf(issue: z.core.$ZodIssue, prefix: readonly PropertyKey[]): string[] {
  const path = [...prefix, ...issue.path];
  if (issue.code !== 'invalid_union' || issue.errors.length === 0)
    return [`${path.map(String).join('.') || 'all of it'}: ${issue.message}`];
  const [closest = []] = issue.errors.toSorted((a, b) => a.length - b.length);
  return closest.flatMap((each) => problemsOf(each, path));
}
