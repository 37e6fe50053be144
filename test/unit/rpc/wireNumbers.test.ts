import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeNumbers, encodeNumbers } from '../../../src/rpc/wireNumbers.js';

/** What VS Code does to a message between the extension host and a page. */
const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const roundTrip = (value: unknown): unknown => decodeNumbers(throughJson(encodeNumbers(value)));

describe('numbers on a JSON channel', () => {
  it('keeps NaN and the infinities at any depth', () => {
    const report = { sqnrDb: Infinity, list: [NaN, 1, { min: -Infinity }] };
    expect(throughJson(report)).not.toEqual(report);
    expect(roundTrip(report)).toEqual(report);
    expect(roundTrip(NaN)).toBeNaN();
  });

  it('cannot be fooled by keys that come from a file', () => {
    const metadata = { $number: 'NaN', $object: { $number: '1' }, nested: { $object: 'x' } };
    expect(roundTrip(metadata)).toEqual(metadata);
    const hostile = JSON.parse('{"__proto__":{"$number":"Infinity"},"a":{"$number":"NaN"}}');
    const arrived = roundTrip(hostile) as object;
    expect(Object.getPrototypeOf(arrived)).toBe(Object.prototype);
    expect(Object.keys(arrived)).toEqual(['__proto__', 'a']);
    expect(arrived).toEqual(hostile);
  });

  it('leaves as it is what stands for no number', () => {
    for (const odd of ['1', 'x', 5, null, ['NaN'], { toString: '' }]) {
      expect(decodeNumbers({ $number: odd })).toEqual({ $number: odd });
    }
  });

  it('gives back every plain value', () => {
    const number = fc.oneof(fc.double(), fc.constantFrom(NaN, Infinity, -Infinity));
    const key = fc.oneof(fc.string(), fc.constantFrom('$number', '$object', '__proto__'));
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        number.map((n) => (Object.is(n, -0) ? 0 : n)),
        fc.string(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('any'), { maxLength: 4 }),
        fc.array(fc.tuple(key, tie('any')), { maxLength: 4 }).map((e) => Object.fromEntries(e)),
      ),
    })).any;
    fc.assert(
      fc.property(value, (original) => {
        expect(roundTrip(original)).toEqual(original);
      }),
    );
  });

  it('hands typed arrays and finite data through untouched', () => {
    const png = new Uint8Array([137, 80]);
    const finite = { counts: [1, 2], png };
    expect(encodeNumbers(finite)).toBe(finite);
    expect(decodeNumbers(finite)).toBe(finite);
  });
});
