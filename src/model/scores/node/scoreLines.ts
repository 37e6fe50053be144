import type { WindowScore } from '../../evaluation/types.js';
import { hashOf } from './hashOf.js';

/** What a line of a store's file says: a window's score, or how many weights are no finite numbers. */
export type StoredEntry =
  | { readonly variant: string; readonly window: string; readonly score: WindowScore }
  | { readonly nonFinite: number };

/** Lines are shorter: names in them are hashes. */
const MAX_LINE_CHARACTERS = 512;

/** Of what a line says and of the file it stands in: a line of another model's scores fails, too. */
function checksum(fileKey: string, fields: readonly unknown[]): string {
  return hashOf([fileKey, JSON.stringify(fields)]).slice(0, 16);
}

/**
 * An entry as a line without its end: a JSON array that ends with a checksum of the rest.
 * @param fileKey what only this file has
 */
export function writeLine(fileKey: string, entry: StoredEntry): string {
  const fields = 'nonFinite' in entry ? [entry] : fieldsOf(entry);
  return JSON.stringify([...fields, checksum(fileKey, fields)]);
}

/** Variant, window, targets, nll, divergence, agreements. Numbers that JSON lacks are text. */
function fieldsOf({ variant, window, score }: Exclude<StoredEntry, { nonFinite: number }>) {
  const { targets, nll, divergence, agreements } = score;
  const numbers = [targets, nll, divergence, agreements];
  return [variant, window, ...numbers.map((each) => (Number.isFinite(each) ? each : String(each)))];
}

/** What a line says; undefined where it is damaged, or was not written here. */
export function readLine(fileKey: string, line: string): StoredEntry | undefined {
  if (line.length > MAX_LINE_CHARACTERS) return undefined;
  let values: unknown;
  try {
    values = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!Array.isArray(values)) return undefined;
  const fields: readonly unknown[] = values.slice(0, -1);
  if (values.at(-1) !== checksum(fileKey, fields)) return undefined;
  return fields.length === 1 ? readNonFinite(fields[0]) : readScore(fields);
}

function readNonFinite(field: unknown): StoredEntry | undefined {
  const { nonFinite } = (field ?? {}) as { readonly nonFinite?: unknown };
  return isCount(nonFinite) ? { nonFinite } : undefined;
}

function readScore(fields: readonly unknown[]): StoredEntry | undefined {
  const [variant, window, ...rest] = fields;
  if (typeof variant !== 'string' || typeof window !== 'string') return undefined;
  const [targets, nll, divergence, agreements] = rest.map(readNumber);
  if (!isCount(targets) || targets === 0 || !isCount(agreements) || agreements > targets) {
    return undefined;
  }
  if (nll === undefined || divergence === undefined) return undefined;
  return { variant, window, score: { targets, nll, divergence, agreements } };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function readNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity'
    ? Number(value)
    : undefined;
}
