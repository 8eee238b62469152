/** A statement in the making: text with numbered places, and the values for them. Values never become text. */
export class Statement {
  readonly values: unknown[] = [];

  /** The place of a value, with its type. */
  place(value: unknown, type: string): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }
}
