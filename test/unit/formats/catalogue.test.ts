import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeCatalogueDocument } from '../../../src/formats/document.js';
import { exmyFormat } from '../../../src/formats/entries/floats.js';
import { float32OfOrder, orderOfFloat32, roundHalfEven } from '../../../src/formats/float32.js';
import { listMinifloatLevels } from '../../../src/formats/grid.js';
import {
  computeBitsPerWeight,
  FORMAT_CATALOGUE,
  findFormatEntry,
  FormatNameError,
  formatLabel,
  parseFormat,
  roundToBF16,
  roundToF16,
} from '../../../src/formats/index.js';
import { f16FromBits } from '../../../src/storage/elementValues.js';
import { floatsOf, readRawSafetensors } from '../../support/rawSafetensors.js';

describe('names', () => {
  it.each([
    ['int4', 'int4-asym:g128'],
    ['INT4-Sym:ROW', 'int4-sym:row'],
    ['fp4', 'fp4-e2m1:g128'],
    ['afp3:g64', 'afp3-e2m0:g64'],
    ['dint4:tensor', 'dint4:tensor'],
    ['int4+mse', 'int4-asym:g128+mse'],
    ['anf4:g64+clip', 'anf4:g64+clip'],
    ['mxfp4', 'mxfp4'],
    ['nvfp4', 'nvfp4'],
    ['bnb-nf4', 'bnb-nf4'],
    ['bnb-nf4:g128', 'bnb-nf4:g128'],
    ['q4_k', 'q4_k'],
    ['fp7-e4m2', 'fp7-e4m2:g128'],
    ['bf16', 'bf16'],
  ])('%s is %s', (text, id) => {
    expect(parseFormat(text).id).toBe(id);
    expect(parseFormat(id).id).toBe(id);
  });

  it.each([
    ['int9', /not in the catalogue/],
    ['fp4-e2m2', /not in the catalogue/],
    ['fp8-e0m7', /not in the catalogue/],
    ['int4:g1', /group "g1" is not gN/],
    ['int4:column', /group "column"/],
    ['int4:g128:row', /more than one ":"/],
    ['mxfp4:g64', /fixes its own grouping/],
    ['bnb-nf4:row', /is not gN \(N ≥ 2\)$/],
    ['int4+fast', /"\+fast" is not \+mse or \+clip/],
    ['int4+mse+clip', /only one search/],
    ['q4_0+mse', /no range to search/],
    ['int4:tensor+mse', /one range for a whole tensor cannot be searched for/],
    ['afp4:tensor+clip', /needs groups of a row or less/],
    ['', /not in the catalogue/],
  ])('refuses %s in one line', (text, message) => {
    expect(() => parseFormat(text)).toThrow(FormatNameError);
    expect(() => parseFormat(text)).toThrow(message);
  });

  it('reads back every listed name, and labels differ', () => {
    const labels = FORMAT_CATALOGUE.map(({ name }) => formatLabel(parseFormat(name)));
    expect(new Set(labels).size).toBe(FORMAT_CATALOGUE.length);
    expect(FORMAT_CATALOGUE.every((entry) => findFormatEntry(entry.name) === entry)).toBe(true);
  });
});

describe('storage', () => {
  it.each([
    ['int4', 4.15625],
    ['int4-sym', 4.125],
    ['afp4', 4.25],
    ['nf4:g64', 4.25],
    ['dint4', 4.15625],
    ['mxfp4', 4.25],
    ['mxfp8-e4m3', 8.25],
    ['bnb-nf4', 4.5],
    ['q4_0', 4.5],
    ['q4_k', 4.5],
    ['q6_k', 6.5625],
    ['q2_k', 2.625],
    ['iq4_xs', 4.25],
    ['amxfp4', 4.5],
    ['mxfp4-ceil', 4.25],
    ['mxfp4-gguf', 4.25],
    ['nvfp4-gguf', 4.5],
    ['nvfp4-4over6', 4.5 + 32 / (512 * 4096)],
    ['if4', 4.5 + 32 / (512 * 4096)],
    ['razer', 4.5 + 32 / (512 * 4096)],
    ['tq1_0', 1.6875],
    ['tq2_0', 2.0625],
    ['q1_0', 1.125],
    ['q2_0', 2.25],
    ['bf16', 16],
  ])('%s takes %f bits per weight', (name, bits) => {
    expect(computeBitsPerWeight(parseFormat(name), [512, 4096])).toBe(bits);
  });

  it('counts ragged groups, tensor scales and wider scales', () => {
    expect(computeBitsPerWeight(parseFormat('fp4:g128'), [1, 200])).toBe(4 + (2 * 16) / 200);
    expect(computeBitsPerWeight(parseFormat('fp4:g128'), [1, 200], 'f32')).toBe(4 + (2 * 32) / 200);
    expect(computeBitsPerWeight(parseFormat('nvfp4'), [64, 64])).toBe(4.5 + 32 / 4096);
    expect(computeBitsPerWeight(parseFormat('bnb-nf4'), [3, 33])).toBe(4 + (2 * 32) / 99);
  });
});

describe('levels', () => {
  const golden = readRawSafetensors(
    new URL('../../fixtures/golden/llmfp4.safetensors', import.meta.url),
  );
  const shapes = [...golden.keys()].flatMap((name) =>
    /^grid\.e(\d)m(\d)$/.exec(name)?.slice(1) ? [name] : [],
  );

  it('has thirteen shapes to compare with', () => expect(shapes).toHaveLength(13));

  it.each(shapes)('%s are those of the paper, up to a power of two', (name) => {
    const [exponentBits, fractionBits] = /e(\d)m(\d)/.exec(name)!.slice(1).map(Number);
    const expected = floatsOf(golden.get(name)!);
    const levels = listMinifloatLevels(exmyFormat(exponentBits, fractionBits)).filter(
      (x) => x >= 0,
    );
    const factor = expected[expected.length - 1] / levels[levels.length - 1];
    expect(Number.isInteger(Math.log2(factor))).toBe(true);
    expect(levels.map((level) => level * factor)).toEqual([...expected]);
  });

  it('never has more than 256 levels, in ascending order, with zero among them', () => {
    for (const { name, rule, levelCount } of FORMAT_CATALOGUE) {
      if (rule.kind !== 'grid') continue;
      const { levels, thresholds } = rule.grid;
      expect(levels.length, name).toBeLessThanOrEqual(256);
      expect(levels.length, name).toBe(levelCount);
      expect(levels.includes(0), name).toBe(true);
      for (let i = 1; i < levels.length; i++) {
        expect(levels[i] > levels[i - 1], name).toBe(true);
        expect(thresholds[i - 1] >= levels[i - 1] && thresholds[i - 1] < levels[i], name).toBe(
          true,
        );
      }
    }
  });
});

describe('rounding', () => {
  it('orders all f32 values', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), fc.float({ noNaN: true }), (a, b) => {
        expect(Math.sign(orderOfFloat32(a) - orderOfFloat32(b)) + 0).toBe(
          Math.sign(a - b || 0) + 0,
        );
        expect(float32OfOrder(orderOfFloat32(a))).toBe(a + 0);
      }),
    );
  });

  it('rounds halves to even', () => {
    expect(
      [0.5, 1.5, 2.5, -0.5, -1.5, 2 ** 53 + 2, 0.49999999999999994].map(roundHalfEven),
    ).toEqual([0, 2, 2, -0, -2, 2 ** 53 + 2, 0]);
  });

  it('rounds to the nearest f16 of all, ties to even', () => {
    const all = Array.from({ length: 0x7c00 }, (_, code) => f16FromBits(code));
    fc.assert(
      fc.property(fc.double({ min: 0, max: 65504, noNaN: true }), (x) => {
        const rounded = roundToF16(x);
        const at = all.indexOf(rounded);
        expect(at).toBeGreaterThanOrEqual(0);
        const distance = Math.abs(rounded - x);
        for (const neighbour of [at - 1, at + 1]) {
          if (neighbour < 0 || neighbour >= all.length) continue;
          const other = Math.abs(all[neighbour] - x);
          expect(distance < other || (distance === other && at % 2 === 0)).toBe(true);
        }
      }),
    );
    expect([65519, 65520, 1e9, Infinity, -Infinity].map(roundToF16)).toEqual([
      65504, 65504, 65504, 65504, -65504,
    ]);
    expect(roundToBF16(1 + 2 ** -8)).toBe(1);
    expect(roundToBF16(1 + 3 * 2 ** -8)).toBe(1 + 2 ** -6);
  });
});

it('docs/formats.md is what the catalogue says', () => {
  const file = readFileSync(new URL('../../../docs/formats.md', import.meta.url), 'utf8');
  expect(file).toBe(writeCatalogueDocument());
});
