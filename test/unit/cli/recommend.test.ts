// From a budget to a written model, at the command line.
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ComparisonReport, PerplexityReport } from '../../../src/reports/reports.js';
import type { RecommendationReport } from '../../../src/reports/recommendation.js';
import { SAMPLE, temporaryFolder } from '../../support/checkpoints.js';
import { run } from '../../support/commandLine.js';

const TEXT = [
  '--text',
  join(SAMPLE, 'eval.txt'),
  '--windows',
  '2',
  '--context',
  '128',
  '--no-cache',
];
const QUICK = ['--sensitivity-windows', '1', '--sensitivity-context', '64'];

describe('recommend', () => {
  test('gives a recipe with which other commands come to the same numbers', async () => {
    const folder = await temporaryFolder();
    const recipe = join(folder, 'mix.json');
    const types = join(folder, 'types.txt');
    const formats = ['--format', 'q4_0,q8_0,q5_0'];
    const decided = await run(
      ...['recommend', SAMPLE, '--bits', '5.2', ...formats, ...TEXT, ...QUICK, '--json'],
      ...['--recipe', recipe, '--export', `llama-quantize=${types}`],
    );
    expect(decided.code).toBe(0);
    expect(decided.stderr).toMatch(/types\.txt \(llama-quantize.*embeddings and the head/);
    const report = JSON.parse(decided.stdout) as RecommendationReport;
    expect(report.recommended).toBe('mix');
    expect((await readFile(types, 'utf8')).trim().split('\n')).toHaveLength(28);

    const measured = await run('perplexity', SAMPLE, ...TEXT, '--recipe', recipe, '--json');
    const [row] = (JSON.parse(measured.stdout) as PerplexityReport).formats;
    expect(row.perplexity).toEqual(report.measured);
    expect(row.id).toBe('mix.json');

    const out = join(folder, 'model');
    const written = await run('quantize', SAMPLE, '--recipe', recipe, '--out', out, '--json');
    const [quantized] = (JSON.parse(written.stdout) as ComparisonReport).formats;
    expect(quantized.bitsPerWeight).toBe(report.bitsPerWeight);
    const again = await run('perplexity', out, ...TEXT, '--json');
    const { baseline } = JSON.parse(again.stdout) as PerplexityReport;
    expect(baseline.perplexity.value).toBeCloseTo(report.measured.value, 5);

    const compared = await run('compare', SAMPLE, '--recipe', recipe, '--json');
    const [errors] = (JSON.parse(compared.stdout) as ComparisonReport).formats;
    expect(errors.summary).toEqual(quantized.summary);
    expect(errors.tensors).toEqual(quantized.tensors);
  });

  test('is a table for people', async () => {
    const options = ['--format', 'int4,int6', ...TEXT, ...QUICK, '--pin', '*v_proj*=int8'];
    const { stdout } = await run('recommend', SAMPLE, '--size', '2.75MB', ...options);
    expect(stdout).toMatch(/^Budget: at most 2\.75 MB for all weights$/m);
    expect(stdout).toMatch(/^Recommended: the mix below$/m);
    expect(stdout).toMatch(
      /^model\.layers\.0\.self_attn\.v_proj\.weight +int8-asym:g128 \(given\)/m,
    );
    expect(stdout).toMatch(/No other assignment of these formats within the budget/);
  });

  test('writes nothing where a file cannot be written, and says why', async () => {
    const folder = await temporaryFolder();
    const options = ['--format', 'int4', ...TEXT, ...QUICK];
    const missing = join(folder, 'recipe.json', 'x.json');
    const ended = await run('recommend', SAMPLE, '--bits', '5', ...options, '--recipe', missing);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/x\.json/);
    expect(await readdir(folder)).toEqual([]);
  });

  test('takes no recipe of another model', async () => {
    const folder = await temporaryFolder();
    const recipe = join(folder, 'r.json');
    await writeFile(
      recipe,
      '{"recipe":1,"scaleDtype":"bf16","tensors":[{"name":"other","format":"int4"}]}',
    );
    const ended = await run('compare', SAMPLE, '--recipe', recipe);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(/^quantscope: r\.json: .*there is no tensor "other"\n$/);
    const wide = await run('compare', SAMPLE, '--recipe', recipe, '--scale-dtype', 'f32');
    expect(wide.code).toBe(2);
    expect(wide.stderr).toMatch(/scales are bf16 in this recipe, and f32 elsewhere/);
  });
});
