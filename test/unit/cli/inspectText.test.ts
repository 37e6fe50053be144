import { describe, expect, test } from 'vitest';
import type { OpenedModel } from '../../../src/checkpoint/types.js';
import { formatInspection, type InspectedTensor } from '../../../src/cli/inspectText.js';
import { shorten } from '../../../src/storage/shorten.js';
import { listModel, selectForInspection } from '../../../src/jobs/inspection/listModel.js';
import { runAtOnce } from '../../../src/storage/slices.js';

const tensor = (name: string, layer = '', nameInLayer = name) =>
  ({
    name,
    file: 'model.safetensors',
    dtype: 'BF16',
    shape: [256, 768],
    bytes: 393216,
    offset: 0,
    elements: 196608,
    layer,
    nameInLayer,
    transposed: false,
    role: name.startsWith('embed') ? 'embedding' : 'other',
    quantizedByDefault: true,
  }) as const;

const inLayer = (layer: number, nameInLayer: string) =>
  tensor(`l.${layer}.${nameInLayer}`, `l.${layer}`, nameInLayer);

/** What `inspect` prints of tensors, those that match some globs. */
function inspect(
  tensors: readonly object[],
  globs: readonly string[] = [],
  bounds = { tensors: 100, layers: 100 },
  {
    metadata = {},
    statistics,
  }: {
    readonly metadata?: Readonly<Record<string, string>>;
    readonly statistics?: ReadonlyMap<string, InspectedTensor['stats']>;
  } = {},
): string {
  const path = '/models/m.safetensors';
  const model = { path, tensors } as unknown as OpenedModel;
  const selected = runAtOnce(selectForInspection(model, globs));
  const listing = runAtOnce(listModel(model, selected, bounds));
  return formatInspection({ path: model.path, files: 1, metadata }, listing, statistics);
}

/** First cells of the rows below the table's head. */
function firstCells(text: string): string[] {
  const rows = text.split('\n');
  const from = rows.findIndex((row) => row.startsWith('Tensor')) + 1;
  return rows.slice(from, -1).map((row) => row.split(/(?<=\S) {2,}/)[0]);
}

describe('what inspect says of a model', () => {
  const bounds = { tensors: 100, layers: 100 };

  test('is its metadata, too, in lines that no value breaks', () => {
    const metadata = { format: 'pt', ss_tags: `a\nb${'x'.repeat(1e6)}` };
    const lines = inspect([tensor('a')], [], bounds, { metadata }).split('\n');
    expect(lines.slice(2, 4)).toEqual(['Metadata:', '  format: pt']);
    expect(lines[4]).toMatch(/^ {2}ss_tags: a\\u\{a\}bx+…x+$/);
    expect(lines[4].length).toBeLessThan(140);
    expect(inspect([tensor('a')])).not.toContain('Metadata');
  });

  test('lists the first keys of much metadata, and counts the others', () => {
    const metadata = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, 'v']));
    const text = inspect([tensor('a')], [], bounds, { metadata });
    expect(text).toContain('  k39: v\n  … 960 more; --json lists all\n');
  });

  test('names the narrower type that F32 values are of', () => {
    const [min, max, mean, std, absMax, zeros, nan, inf, kurtosis] = new Array<number>(9).fill(0);
    const stats = { min, max, mean, std, absMax, zeros, nan, inf, kurtosis, holds: 'BF16' };
    const wide = { ...tensor('a'), dtype: 'F32' };
    const text = inspect([wide], [], bounds, { statistics: new Map([['a', stats]]) });
    expect(text).toMatch(/^a +F32 \(holds BF16\) /m);
  });
});

describe('the table of inspect', () => {
  const tensors = [
    tensor('norm.weight'),
    inLayer(10, 'a'),
    inLayer(2, 'a'),
    tensor('embed.weight'),
    inLayer(2, 'b'),
  ];

  test('shows embeddings, layers in counting order, the rest', () => {
    const text = inspect(tensors);
    const order = ['embed.weight', 'l.2', '  a', '  b', 'l.10', '  a', 'norm.weight'];
    expect(firstCells(text)).toEqual(order);
    expect(text).toMatch(/^ {2}a +BF16 +256 × 768 +384 KB$/m);
    expect(text).toMatch(/^l\.2 +2 tensors +768 KB$/m);
    expect(text).not.toMatch(/shown|listed/);
  });

  test('says how many are shown when some are left out', () => {
    expect(inspect(tensors, ['l.2.b'])).toMatch(
      /1 of 5 shown\n[^]*^l\.2 +1 of 2 tensors +768 KB *\n {2}b .*\n$/m,
    );
  });

  test('of more tensors than a terminal bears: those outside, the first of the layers, totals', () => {
    const many = [
      tensor('norm.weight'),
      ...Array.from({ length: 40 }, (_, i) => inLayer(Math.floor(i / 10), `w${i % 10}`)),
    ];
    const text = inspect(many, [], { tensors: 14, layers: 3 });
    const first = Array.from({ length: 10 }, (_, i) => `  w${i}`);
    const second = ['  w0', '  w1', '  w2', '  … 7 more'];
    expect(firstCells(text).slice(0, -2)).toEqual([
      ...['l.0', ...first],
      ...['l.1', ...second],
      ...['l.2', 'norm.weight'],
    ]);
    expect(text).toMatch(/^l\.2 +10 tensors +3\.75 MB$/m);
    expect(text).toContain('41 tensors');
    expect(text).toMatch(
      /\n\n27 of 41 tensors are not listed: --tensor GLOB chooses some, --json lists all\n$/,
    );
    expect(inspect(many, ['*.w1'], { tensors: 3, layers: 9 })).toMatch(
      /4 of 41 match\n[^]*^l\.2 .*\n {2}w1 .*\nl\.3 +1 of 10 tensors .*\n\n1 of 4 tensors are not/m,
    );
  });

  test('keeps every line short, whatever names and shapes a file has', () => {
    const name = `begin\u202e${'x.'.repeat(100_000)}end`;
    const shape = Array.from({ length: 60_000 }, () => 1);
    const long = { ...tensor(name), shape };
    const text = inspect([long, tensor('y'.repeat(300), 'y'.repeat(300), 'z'.repeat(300))]);
    expect(text).toMatch(/^begin\\u\{202e\}.*….*x\.end +BF16/m);
    expect(text).toContain(' 1 × 1 × 1 × 1 × 1 × 1 × … (60,000 dimensions) ');
    expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThan(250);
  });
});

test('a text is shortened in the middle, between characters', () => {
  expect(shorten('abcdefghij', 10)).toBe('abcdefghij');
  expect(shorten('abcdefghijk', 10)).toBe('abc…fghijk');
  for (let before = 0; before < 8; before++) {
    const text = shorten(`${'a'.repeat(before)}${'😀'.repeat(20)}`, 11);
    expect(text.length).toBeLessThanOrEqual(11);
    expect(text).not.toMatch(/\p{Surrogate}/u);
  }
});
