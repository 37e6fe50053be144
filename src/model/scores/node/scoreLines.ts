import type { WindowScore } from '../../evaluation/types.js';
import { hashOf } from './hashOf.js';

/** What a line of a store's file says. */
export interface StoredScore {
  readonly variant: string;
  /** Hash of its ids. */
  readonly window: string;
  readonly score: WindowScore;
  /** Weights of the model that are NaN or infinite: a run that finds all its scores reads no weights. */
  readonly nonFinite: number;
}

/** Lines are shorter: names in them are hashes. */
const MAX_LINE_CHARACTERS = 512;

/** Of what a line says and of the file it stands in: a line of another model's scores fails, too. */
function checksum(fileKey: string, fields: readonly unknown[]): string {
  return hashOf([fileKey, JSON.stringify(fields)]).slice(0, 16);
}

/**
 * A score as a line without its end: a JSON array of variant, window, targets, nll, divergence,
 * reverse divergence, confidence, agreements, non-finite weights, and a checksum of these. Numbers that JSON lacks are text.
 * @param fileKey what only this file has
 */
export function writeLine(fileKey: string, { variant, window, score, nonFinite }: StoredScore) {
  const { targets, nll, divergence, reverseDivergence, confidence, agreements } = score;
  const numbers = [
    ...[targets, nll, divergence, reverseDivergence, confidence],
    ...[agreements, nonFinite],
  ];
  const written = numbers.map((each) => (Number.isFinite(each) ? each : String(each)));
  const fields = [variant, window, ...written];
  return JSON.stringify([...fields, checksum(fileKey, fields)]);
}

/** What a line says; undefined where it is damaged, or was not written here. */
export function readLine(fileKey: string, line: string): StoredScore | undefined {
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
  const [variant, window, ...rest] = fields;
  if (typeof variant !== 'string' || typeof window !== 'string') return undefined;
  const [targets, nll, divergence, reverseDivergence, confidence, agreements, nonFinite] =
    rest.map(readNumber);
  if (!isCount(targets) || targets === 0 || !isCount(agreements) || agreements > targets) {
    return undefined;
  }
  if (nll === undefined || divergence === undefined || reverseDivergence === undefined)
    return undefined;
  if (confidence === undefined || !isCount(nonFinite)) return undefined;
  const score = { targets, nll, divergence, reverseDivergence, confidence, agreements };
  return { variant, window, score, nonFinite };
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
