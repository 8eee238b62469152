/** Wraps an object so that its changes are recorded first. */
import type { OperatorEvent, RecordEvent } from './operator-events.js';

/** For each method that changes something, the event that says so. */
export type Changes<Target> = {
  [Name in keyof Target]?: Target[Name] extends (...given: infer Given) => Promise<unknown> | AsyncGenerator
    ? (...given: Given) => OperatorEvent | Promise<OperatorEvent>
    : never;
};

/**
 * The methods of `target`; those that `changes` names run once their event is stored.
 * @param generators those among them that return an async generator
 */
export function recording<Target extends object>(
  target: Target,
  record: RecordEvent,
  changes: Changes<Target>,
  generators: readonly (keyof Target)[] = [],
): Target {
  const events = new Map<PropertyKey, unknown>(Object.entries(changes));
  return new Proxy(target, {
    get: (object, name) => {
      const method: unknown = Reflect.get(object, name);
      if (typeof method !== 'function') return method;
      const eventOf = events.get(name);
      if (typeof eventOf !== 'function') return method.bind(object);
      const recorded = async (given: unknown[]): Promise<void> =>
        record(await Reflect.apply(eventOf, undefined, given));
      if (generators.some((each) => each === name)) {
        return async function* generate(...given: unknown[]): AsyncGenerator {
          await recorded(given);
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the caller names the methods that are generators
          yield* Reflect.apply(method, object, given) as AsyncGenerator;
        };
      }
      return async (...given: unknown[]): Promise<unknown> => {
        await recorded(given);
        return Reflect.apply(method, object, given);
      };
    },
  });
}
