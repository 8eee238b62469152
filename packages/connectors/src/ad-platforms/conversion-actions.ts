/** Which of a platform's conversion actions an account counts, where that is not left to the objectives of its campaigns. */

/** How a platform names what people did. */
export interface ConversionActions {
  /** One sentence on the form of an action, with an example. */
  help: string;
  /** The action as its API names it, from text; `undefined` for text of another form. */
  parse: (text: string) => string | undefined;
  /** What the action counts. Two actions of one event would count it twice. */
  eventOf: (action: string) => string;
}

export const MAX_CONVERSION_ACTIONS = 20;

/** Throws an Error that says what to write instead. */
export function parseConversionActions(
  { help, parse, eventOf }: ConversionActions,
  texts: readonly string[],
): string[] {
  if (texts.length === 0) throw new Error('At least one conversion action is needed.');
  if (texts.length > MAX_CONVERSION_ACTIONS)
    throw new Error(`At most ${MAX_CONVERSION_ACTIONS} conversion actions can be counted together.`);
  const byEvent = new Map<string, string>();
  for (const text of texts) {
    const action = parse(text.trim());
    if (action === undefined) throw new Error(`${JSON.stringify(text)} is no conversion action. ${help}`);
    const other = byEvent.get(eventOf(action));
    if (other !== undefined)
      throw new Error(
        other === action
          ? `${action} is there twice.`
          : `${other} and ${action} count the same event: choose one of them.`,
      );
    byEvent.set(eventOf(action), action);
  }
  return [...byEvent.values()];
}

/** For platforms with a fixed list of actions: each with the field of its value, or `null` where its value is not reported. */
export function listedActions(fields: Readonly<Record<string, string | null>>): ConversionActions {
  return {
    help: `Actions are ${Object.keys(fields).join(', ')}.`,
    parse: (text) => (Object.hasOwn(fields, text) ? text : undefined),
    eventOf: (action) => action,
  };
}

/** The fields to ask for: of each action its number, and its value where that is reported. */
export function fieldsOfActions(
  fields: Readonly<Record<string, string | null>>,
  actions: readonly string[],
): string[] {
  return actions.flatMap((action) => [action, fields[action] ?? []].flat());
}
