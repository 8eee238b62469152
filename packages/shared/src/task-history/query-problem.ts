import { invalid } from '../http/index.js';
import { parseQuery, QueryError, type TaskQuery } from './query.js';

/** @param field of the request @throws ProblemError that names the field and the part */
export function parsedQuery(field: string, q: string): TaskQuery {
  try {
    return parseQuery(q);
  } catch (error) {
    if (error instanceof QueryError) throw invalid(field, error.message);
    throw error;
  }
}
