/**
 * The types of steps: what a node of a definition takes from the result before it, and what its own result is. Nothing of it exists at run
 * time. A definition without these types, such as one from JSON, fits everywhere and is checked when it runs.
 */
import type { z } from 'zod';
import type { Reference, WorkflowDefinition } from './definition.js';

declare const TYPES: unique symbol;

/**
 * @typeParam Needs a union of pairs: a reference, and the type of the field that it fills
 * @typeParam Result what the node leaves to the next one
 */
export interface Typed<Needs, Result> {
  /** For the compiler alone. */
  readonly [TYPES]?: { readonly needs: Needs; readonly result: Result };
}

/** What a definition takes from the result before it. `never`: nothing, as far as the compiler knows. */
export type NeedsOf<Definition> = Definition extends { readonly [TYPES]?: infer Types }
  ? NonNullable<Types> extends { readonly needs: infer Needs }
    ? Needs
    : never
  : never;

/** The result of a workflow: `WorkflowResult<typeof definition>`. `unknown` for a definition without types. */
export type WorkflowResult<Definition> = Definition extends { readonly [TYPES]?: infer Types }
  ? NonNullable<Types> extends { readonly result: infer Result }
    ? Result
    : unknown
  : unknown;

/** Fields of a step's payload that references fill. */
export type Filled<Input extends z.ZodType> = Partial<Record<keyof z.input<Input> & string, Reference>>;

/** The fields of a payload that no reference fills. */
export type Given<Input extends z.ZodType, With> = Partial<z.input<Input>> & Omit<z.input<Input>, keyof With>;

/** What a step with these references needs. A reference to nothing fails the step, so what it names has to be there, also for an optional field. */
export type StepNeeds<Input extends z.ZodType, With> = {
  [Name in keyof With & keyof z.input<Input>]: readonly [
    reference: With[Name],
    wanted: Exclude<z.input<Input>[Name], undefined>,
  ];
}[keyof With & keyof z.input<Input>];

/** The error that the compiler shows for a step that does not fit: no step has this property. */
export interface Misfit<Path, Found, Wanted> {
  readonly doesNotFit: { readonly reference: Path; readonly found: Found; readonly wanted: Wanted };
}

/** Nothing precedes it. */
export interface NoResult {
  readonly noResult: never;
}

/** `unknown` if a node fits the result before it, so that it takes nothing away from the type of a parameter. */
export type Fitting<Previous, Needs> = [Failing<Previous, Needs>] extends [never]
  ? unknown
  : Failing<Previous, Needs>;

type Failing<Previous, Needs> = Needs extends readonly [infer Path extends string, infer Wanted]
  ? Suits<At<Previous, Path>, Wanted> extends true
    ? never
    : Misfit<Path, At<Previous, Path>, Wanted>
  : never;

/** A result of unknown type may fit; the worker checks it. */
type Suits<Found, Wanted> = unknown extends Found ? true : [Found] extends [Wanted] ? true : false;

/** Each member of a chain, after the result of the member before it. */
export type Chained<Members extends readonly unknown[]> = {
  [Place in keyof Members]: Members[Place] & Fitting<Before<Members, Place>, NeedsOf<Members[Place]>>;
};

type Before<Members extends readonly unknown[], Place> = number extends Members['length']
  ? WorkflowResult<Members[number]>
  : Place extends '0'
    ? unknown
    : Place extends keyof Shifted<Members>
      ? WorkflowResult<Shifted<Members>[Place]>
      : unknown;

type Shifted<Members extends readonly unknown[]> = readonly [undefined, ...Members];

/** The results of a group's members, in their order. */
export type Results<Members extends readonly unknown[], Failed = never> = {
  -readonly [Place in keyof Members]: WorkflowResult<Members[Place]> | Failed;
};

export type First<Members extends readonly unknown[]> = Members extends readonly [infer Head, ...unknown[]]
  ? Head
  : Members[number];

export type Last<Members extends readonly unknown[]> = Members extends readonly [...unknown[], infer End]
  ? End
  : Members[number];

/** A definition that can be started: nothing in it refers to a result before it. */
export type Startable<Definition extends WorkflowDefinition> = Definition &
  Fitting<NoResult, NeedsOf<Definition>>;

interface Absent<Name> {
  readonly isMissing: Name;
}

/** The part of a result that a reference means. */
type At<Result, Path extends string> = Path extends `$previous${infer Rest}`
  ? Part<Result, Rest>
  : Absent<Path>;

type Part<Result, Rest extends string> = Rest extends ''
  ? Result
  : Rest extends `[${infer Place}]${infer Further}`
    ? Part<Item<Result, Place>, Further>
    : Rest extends `.${infer Names}`
      ? Part<Field<Result, Split<Names>[0]>, Split<Names>[1]>
      : Absent<Rest>;

/** A name, and what follows it: from the next dot or bracket on. */
type Split<Names extends string> = Names extends `${infer Name}.${infer Rest}`
  ? Name extends `${infer Shorter}[${infer Inner}`
    ? [Shorter, `[${Inner}.${Rest}`]
    : [Name, `.${Rest}`]
  : Names extends `${infer Name}[${infer Rest}`
    ? [Name, `[${Rest}`]
    : [Names, ''];

type Item<Result, Place extends string> = unknown extends Result
  ? unknown
  : Result extends readonly unknown[]
    ? number extends Result['length']
      ? Result[number]
      : Place extends keyof Result
        ? Result[Place]
        : Absent<Place>
    : Absent<Place>;

type Field<Result, Name extends string> = unknown extends Result
  ? unknown
  : Result extends unknown
    ? Name extends keyof Result
      ? Result[Name]
      : Absent<Name>
    : never;
