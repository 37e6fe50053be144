// Measurements over whole texts, a minute and more of computing: npm run test:slow.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SAMPLE } from '../support/checkpoints.js';
import { card, expectNear, measure, PROJECTIONS } from '../support/perplexity.js';

it("has the card's perplexities over its whole text, unquantized and in two formats", async () => {
  const { f32, 'int4-asym:g128': int4, 'afp4-e2m1:g128': afp4 } = card.perplexity;
  const formats: typeof card.perplexity = { 'int4-asym:g128': int4, 'afp4-e2m1:g128': afp4 };
  const report = await measure(SAMPLE, {
    formats: Object.keys(formats),
    scaleDtype: 'f32',
    tensorGlobs: PROJECTIONS,
  });
  expect(report.text).toMatchObject({
    source: join(SAMPLE, 'eval.txt'),
    bundled: false,
    protocol: 'stream',
    context: card.context,
    windows: card.windows,
    tokens: f32.tokens,
    totalTokens: card.totalIds,
  });
  const baseline = report.baseline.perplexity;
  expectNear(baseline.value, f32.perplexity);
  expectNear(baseline.nll, f32.nll);
  expect(report.formats.map(({ id }) => id)).toEqual(Object.keys(formats));
  for (const { id, perplexity } of report.formats) {
    expectNear(perplexity.value, formats[id].perplexity);
    expect(perplexity.tokens).toBe(formats[id].tokens);
    // The published difference, to a twentieth of its own size.
    const delta = formats[id].perplexity - f32.perplexity;
    expect(Math.abs(perplexity.deltaVsBaseline / delta - 1)).toBeLessThan(0.05);
    // A difference this small stands out of the paired noise only.
    expect(perplexity.deltaStandardError!).toBeLessThan(perplexity.deltaVsBaseline / 4);
    expect(perplexity.standardError!).toBeGreaterThan(perplexity.deltaVsBaseline);
    expect(perplexity.klDivergence!).toBeGreaterThan(0);
    expect(perplexity.topTokenAgreement!).toBeGreaterThan(0.8);
    expect(perplexity.topTokenAgreement!).toBeLessThan(1);
  }
});

const STORIES = join(import.meta.dirname, '../../../shared/models/stories260K');
const WIKI = join(import.meta.dirname, '../../../shared/texts/wiki.test.raw');

// Needs models and texts that are not part of the project.
describe.skipIf(!existsSync(STORIES) || !existsSync(WIKI))('stories260K', () => {
  it('has the golden perplexities per document', async () => {
    const golden = {
      'int8-absmax:row': 4.355543,
      'int4-absmax:row': 5.154974,
      'int3-absmax:row': 28.2657,
      'int2-absmax:row': 7996.5,
    };
    const report = await measure(STORIES, {
      formats: Object.keys(golden),
      tensorGlobs: PROJECTIONS,
      scaleDtype: 'f32',
      perDocument: '<|endoftext|>',
      context: 512,
    });
    expect(report.text).toMatchObject({ protocol: 'per-document', tokens: 78309 });
    expectNear(report.baseline.perplexity.nll, 1.470845885);
    expectNear(report.baseline.perplexity.value, 4.352916);
    expect(report.formats.map(({ id }) => id)).toEqual(Object.keys(golden));
    for (const [index, value] of Object.values(golden).entries()) {
      expectNear(report.formats[index].perplexity.value, value);
    }
  });

  it('has the golden perplexity of a stream', async () => {
    const report = await measure(STORIES, { textFile: WIKI, windows: 64, context: 512 });
    expectNear(report.baseline.perplexity.value, 142.9074);
  });
});
