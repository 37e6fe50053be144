type Fields = Readonly<Record<string, unknown>>;

/** Fields of config.json, checked as they are read; errors name the field. */
export class Configuration {
  readonly notes: string[] = [];

  constructor(
    private readonly fields: Fields,
    /** For messages. */
    private readonly file = 'config.json',
  ) {}

  fail(message: string): never {
    throw new Error(`${this.file}: ${message}`);
  }

  has(key: string): boolean {
    return this.fields[key] !== undefined && this.fields[key] !== null;
  }

  /** A finite number; `fallback` where it is missing or null. */
  number(key: string, fallback?: number): number {
    const value = this.fields[key] ?? fallback;
    if (value === undefined) return this.fail(`"${key}" is missing`);
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      return this.fail(`"${key}" is not a number`);
    }
    return value;
  }

  /** A whole number from 1. */
  count(key: string, fallback?: number): number {
    const value = this.number(key, fallback);
    if (!Number.isSafeInteger(value) || value < 1)
      this.fail(`"${key}" is not a whole number from 1`);
    return value;
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.fields[key] ?? fallback;
    if (typeof value !== 'boolean') return this.fail(`"${key}" is neither true nor false`);
    return value;
  }

  text(key: string, fallback?: string): string {
    const value = this.fields[key] ?? fallback;
    if (value === undefined) return this.fail(`"${key}" is missing`);
    if (typeof value !== 'string') return this.fail(`"${key}" is not a text`);
    return value;
  }

  numbers(key: string): number[] {
    const value = this.fields[key];
    if (!Array.isArray(value) || !value.every((each) => Number.isFinite(each))) {
      return this.fail(`"${key}" is not a list of numbers`);
    }
    return value as number[];
  }

  /** A list of texts, or undefined where it is missing. */
  texts(key: string): readonly string[] | undefined {
    const value = this.fields[key];
    if (value === undefined || value === null) return undefined;
    if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) {
      return this.fail(`"${key}" is not a list of texts`);
    }
    return value;
  }

  /** An object within, or undefined where it is missing or null. */
  section(key: string): Configuration | undefined {
    const value = this.fields[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) {
      return this.fail(`"${key}" is not an object`);
    }
    return new Configuration(value as Fields, `${this.file}: "${key}"`);
  }

  /** Equal text for equal contents. */
  toJSON(): Fields {
    return this.fields;
  }
}
