import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Host } from '../../src/host/host.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import type { PerplexityReport } from '../../src/reports/reports.js';
import { createPool, SAMPLE } from './checkpoints.js';
import { perplexityOn } from './jobs.js';

/** The linear weights, as in the published figures. */
export const PROJECTIONS = ['*_proj.weight'];

const TOLERANCE = 1e-4;

interface Card {
  readonly windows: number;
  readonly context: number;
  readonly totalIds: number;
  readonly perplexity: Record<string, { nll: number; perplexity: number; tokens: number }>;
}

/** What an independent computation found for the whole text of the sample. */
export const card = JSON.parse(await readFile(join(SAMPLE, 'card.json'), 'utf8')) as Card;

/** Measures perplexities of a local model with a pool of its own. */
export async function measure(
  path: string,
  request: Omit<Parameters<typeof perplexityOn>[2], 'formats'> & { formats?: string[] },
  host?: Host,
): Promise<PerplexityReport> {
  const pool = await createPool({}, host);
  return perplexityOn(pool, await openLocalModel(path), { formats: [], ...request });
}

export function expectNear(actual: number, expected: number): void {
  expect(Math.abs(actual / expected - 1)).toBeLessThan(TOLERANCE);
}
