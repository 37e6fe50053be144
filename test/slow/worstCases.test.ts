// QUANTSCOPE_WORST_CASES=1 npm run test:slow -- test/slow/worstCases.test.ts
import { describe, it } from 'vitest';
import { report, worstOf } from '../support/worstCases/measuring.js';
import { READERS } from '../support/worstCases/readers.js';

describe('a megabyte of the worst takes no longer than other text, the slowest three cases of each', () => {
  it.each(READERS.map((reader) => [reader.name, reader] as const))('%s', async (name, reader) => {
    report(name, await worstOf(reader, 3));
  });
});
