/** What a value from a side that is not trusted has to be. */
export interface Schema<T> {
  /**
   * The value, made of nothing but what the schema names.
   * @param place where the value stands, for the error: "tensors[3]"
   * @throws SchemaError of one line, which quotes nothing of the value
   */
  read(value: unknown, place: string): T;
}

/** What a schema lets through. */
export type Checked<S> = S extends Schema<infer T> ? T : never;

/** A value that is not what its schema says. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError';
}

function refuse(place: string, expected: string): never {
  throw new SchemaError(`${place}: expected ${expected}`);
}

function count(value: number, thing: string): string {
  return `${value.toLocaleString('en-US')} ${thing}`;
}

/** No value: what a method without arguments is called with. */
export const nothing: Schema<null> = {
  read: (value, place) => (value === null ? value : refuse(place, 'null')),
};

/** Any plain data; for what is read with a schema of its own later, or not at all. */
export const anything: Schema<unknown> = { read: (value) => value };

/** A text of at most so many UTF-16 code units. */
export function text(most: number): Schema<string> {
  return {
    read: (value, place) =>
      typeof value === 'string' && value.length <= most
        ? value
        : refuse(place, `a text of at most ${count(most, 'characters')}`),
  };
}

/** One of these texts. */
export function oneOf<const T extends string>(...values: readonly T[]): Schema<T> {
  return {
    read: (value, place) =>
      values.find((each) => each === value) ?? refuse(place, `one of ${values.join(', ')}`),
  };
}

/** True or false. */
export const flag: Schema<boolean> = {
  read: (value, place) => (typeof value === 'boolean' ? value : refuse(place, 'true or false')),
};

/** A whole number of this range. */
export function wholeNumber(least: number, most: number): Schema<number> {
  return {
    read: (value, place) =>
      typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most
        ? value
        : refuse(place, `a whole number from ${least} to ${most}`),
  };
}

/** Bytes, at most so many, that begin like this. */
export function bytes(most: number, beginning: readonly number[]): Schema<Uint8Array> {
  return {
    read: (value, place) =>
      value instanceof Uint8Array &&
      value.length <= most &&
      beginning.every((byte, index) => value[index] === byte)
        ? value
        : refuse(place, `at most ${count(most, 'bytes')} of the right kind`),
  };
}

/** A list of at most so many items. */
export function list<T>(item: Schema<T>, most: number): Schema<readonly T[]> {
  return {
    read: (value, place) =>
      Array.isArray(value) && value.length <= most
        ? Array.from(value, (each, index) => item.read(each, `${place}[${index}]`))
        : refuse(place, `a list of at most ${count(most, 'items')}`),
  };
}

/** A list of exactly these items. */
export function tuple<T extends readonly unknown[]>(
  ...items: { readonly [Index in keyof T]: Schema<T[Index]> }
): Schema<T> {
  return {
    read: (value, place) =>
      Array.isArray(value) && value.length === items.length
        ? (items.map((item, index) =>
            item.read(value[index], `${place}[${index}]`),
          ) as unknown as T)
        : refuse(place, `a list of ${count(items.length, 'items')}`),
  };
}

/** A field that may be left out. */
export interface Optional<T> {
  readonly optional: Schema<T>;
}

/** For fields that may be left out; undefined counts as left out, since JSON does not have it. */
export function optional<T>(schema: Schema<T>): Optional<T> {
  return { optional: schema };
}

type Fields = Readonly<Record<string, Schema<unknown> | Optional<unknown>>>;

type ReadFields<F extends Fields> = {
  readonly [Name in keyof F as F[Name] extends Schema<unknown> ? Name : never]: Checked<F[Name]>;
} & {
  readonly [
    Name in keyof F as F[Name] extends Schema<unknown> ? never : Name
  ]?: F[Name] extends Optional<infer T> ? T : never;
};

/** An object with these fields and no others. */
export function fields<const F extends Fields>(schemas: F): Schema<ReadFields<F>> {
  const entries = Object.entries(schemas);
  return {
    read(value, place) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        return refuse(place, 'an object');
      }
      if (Object.keys(value).some((key) => !Object.hasOwn(schemas, key))) {
        return refuse(place, `no fields but ${Object.keys(schemas).join(', ')}`);
      }
      const read = entries.flatMap(([key, schema]) => {
        const given: unknown = Object.hasOwn(value, key)
          ? (value as Record<string, unknown>)[key]
          : undefined;
        const inner = `${place}.${key}`;
        if (!('optional' in schema)) return [[key, schema.read(given, inner)] as const];
        return given === undefined ? [] : [[key, schema.optional.read(given, inner)] as const];
      });
      return Object.fromEntries(read) as ReadFields<F>;
    },
  };
}

/** Whatever the first schema takes, else what the second takes. */
export function either<A, B>(one: Schema<A>, other: Schema<B>): Schema<A | B> {
  return {
    read(value, place) {
      try {
        return one.read(value, place);
      } catch (error) {
        if (!(error instanceof SchemaError)) throw error;
        return other.read(value, place);
      }
    },
  };
}
