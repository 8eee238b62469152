/** A value as JSON brings it back: what a step returns is the same in the attempt that ran it and in those that remember it. */
export type Stored<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends { toJSON: () => infer Json }
    ? Stored<Json>
    : T extends object
      ? { [Field in keyof T]: Stored<T[Field]> }
      : T extends void
        ? undefined
        : unknown;
