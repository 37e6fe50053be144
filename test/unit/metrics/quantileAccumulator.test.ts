import fc from 'fast-check';
import { expect, it } from 'vitest';
import { AsymmetryAccumulator } from '../../../src/metrics/asymmetries.js';
import { GroupRangesAccumulator } from '../../../src/metrics/groupRanges.js';
import { QuantileAccumulator } from '../../../src/metrics/quantileAccumulator.js';

const PROBABILITIES = [0, 0.1, 0.5, 0.95, 1];

const parts = fc.array(
  fc.array(fc.float({ noNaN: true }), { maxLength: 30 }).map((list) => Float32Array.from(list)),
);

it('quantiles are those of sorting, kept or counted twice', () => {
  fc.assert(
    fc.property(parts, (values) => {
      const sorted = Float32Array.from(values.flatMap((part) => [...part])).sort();
      const expected = PROBABILITIES.map((p) => sorted[Math.round(p * (sorted.length - 1))] ?? 0);
      for (const maxKept of [Infinity, -1]) {
        const accumulator = new QuantileAccumulator(sorted.length, PROBABILITIES, maxKept);
        for (const part of values) accumulator.add(part);
        const again = accumulator.beginSecondPass();
        expect(again).toBe(maxKept < 0 && sorted.length > 0);
        if (again) for (const part of [...values].reverse()) accumulator.add(part);
        expect(accumulator.beginSecondPass()).toBe(false);
        // Zeros of either sign are equal.
        expect(accumulator.quantiles().map((value) => value + 0)).toEqual(
          expected.map((value) => value + 0),
        );
      }
    }),
  );
});

const magnitude = fc.integer({ min: 0, max: 5 });
const groups = fc.array(fc.tuple(magnitude, magnitude), { minLength: 1, maxLength: 200 });

/** Extremes of some groups. */
function extremesOf(list: readonly (readonly [number, number])[]): [Float32Array, Float32Array] {
  return [0, 1].map((sign) => Float32Array.from(list, (each) => each[sign])) as [
    Float32Array,
    Float32Array,
  ];
}

it('asymmetries are the same in one part and in many, kept or counted twice', () => {
  fc.assert(
    fc.property(groups, fc.integer({ min: 1, max: 50 }), (list, step) => {
      const whole = new AsymmetryAccumulator(list.length);
      whole.addExtremes(...extremesOf(list));
      const cut = new AsymmetryAccumulator(list.length, 0);
      do {
        for (let at = 0; at < list.length; at += step) {
          cut.addExtremes(...extremesOf(list.slice(at, at + step)));
        }
      } while (cut.beginSecondPass());
      expect(cut.summarize()).toEqual(whole.summarize());
    }),
  );
});

it('columns of group ranges are those of sorting, in however many parts groups come', () => {
  const small = fc.integer({ min: 1, max: 60 });
  fc.assert(
    fc.property(groups, small, small, fc.nat(100), (list, step, maxColumns, firstGroup) => {
      const layout = { groupSize: 4, groupsPerRow: 1, groupCount: list.length };
      const shown = { firstGroup, shownGroups: 150 };
      const accumulator = new GroupRangesAccumulator(layout, maxColumns, shown);
      for (let at = 0; at < list.length; at += step) {
        accumulator.add(...extremesOf(list.slice(at, at + step)));
      }
      const ranges = accumulator.summarize();
      const visible = list.slice(firstGroup, firstGroup + 150);
      expect(ranges.shownGroups).toBe(visible.length);
      expect(ranges.columns.length).toBeLessThanOrEqual(maxColumns);
      let next = Math.min(firstGroup, list.length);
      for (const { firstGroup: first, groups: count, positive, negative } of ranges.columns) {
        expect(first).toBe(next);
        next += count;
        const expected = extremesOf(list.slice(first, next)).map((values) => {
          const sorted = values.sort();
          return [0, 0.1, 0.5, 0.9, 1].map((p) => sorted[Math.round(p * (count - 1))]);
        });
        expect([positive, negative]).toEqual(expected);
      }
      expect(next).toBe(Math.min(firstGroup, list.length) + visible.length);
    }),
  );
});

it('a chart of more groups than memory holds is refused in a line', () => {
  const layout = { groupSize: 1, groupsPerRow: 1, groupCount: 2 ** 44 };
  expect(() => new GroupRangesAccumulator(layout, 320)).toThrow(
    '17592186044416 groups are too many to be drawn at once',
  );
  const few = { firstGroup: 2 ** 43, shownGroups: 1000 };
  expect(() => new GroupRangesAccumulator(layout, 320, few)).not.toThrow();
});
