// The fast reader of a header's entries against the strict one, to which it leaves what is unusual.
import fc from 'fast-check';
import { afterEach, expect, it, vi } from 'vitest';
import { readHeaderText } from '../../src/safetensors/headerText.js';
import { PlainTensors } from '../../src/safetensors/plainTensors.js';
import { runAtOnce } from '../../src/storage/slices.js';

afterEach(() => vi.restoreAllMocks());

const encoder = new TextEncoder();

/** Mostly what is usual, sometimes what is not. */
const mostly = (usual: fc.Arbitrary<string>, ...others: string[]) =>
  fc.oneof({ weight: 30, arbitrary: usual }, { weight: 1, arbitrary: fc.constantFrom(...others) });
const name = mostly(
  fc.string({ unit: fc.constantFrom('a', 'b', '.', '0'), maxLength: 8 }),
  ...['__metadata__', 'ä', '\\u0061', '\\"', '\u007f', '\t'],
);
const number = mostly(
  fc.nat(20).map(String),
  ...['00', '01', '-0', '1.0', '1e2', '', '999999999999999'],
  ...['9007199254740993', '18446744073709551616'],
);
const listOf = (constraints: fc.ArrayConstraints) =>
  fc.array(number, constraints).map((all) => `[${all.join(',')}]`);
const shape = fc.oneof(
  { weight: 9, arbitrary: listOf({ maxLength: 3 }) },
  { weight: 1, arbitrary: listOf({ minLength: 7, maxLength: 10 }) },
);
const plainEntry = fc
  .tuple(
    name,
    mostly(fc.constantFrom('F32', 'BF16', 'F8_E4M3'), 'f32', '', 'F32x', 'F8_E4M3FNUZ_OR_SO'),
    shape,
    mostly(listOf({ minLength: 2, maxLength: 2 }), '[]', '[0]', '[0,0,0]'),
  )
  .map(
    ([key, dtype, dimensions, offsets]) =>
      `"${key}":{"dtype":"${dtype}","shape":${dimensions},"data_offsets":${offsets}}`,
  );
const otherEntry = fc.constantFrom(
  '"a":["F32",[],[0,0]]',
  ' "b" : {"dtype":"F32","shape":[],"data_offsets":[0,4]}',
  '"c":{"shape":[1],"dtype":"U8","data_offsets":[0,1]}',
  '"d":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":null}',
  '"__metadata__":{"format":"pt"}',
);
const header = fc
  .array(fc.oneof({ weight: 6, arbitrary: plainEntry }, { weight: 1, arbitrary: otherEntry }), {
    maxLength: 8,
  })
  .map((entries) => `{${entries.join(',')}}`);
/** A header in which one character is another, or left out. */
const spoilt = fc
  .tuple(header, fc.nat(), fc.constantFrom('', ' ', '"', ',', '}', ']', '[', '0', '\\', 'é', '\n'))
  .map(([text, at, other]) => {
    const place = at % text.length;
    return text.slice(0, place) + other + text.slice(place + 1);
  });

function outcome(text: string): unknown {
  try {
    return runAtOnce(readHeaderText(encoder.encode(text), 'f', () => undefined));
  } catch (error) {
    return (error as Error).message;
  }
}

it.each([
  ['headers', header],
  ['spoilt headers', spoilt],
])('%s mean the same to both readers', (_, texts) => {
  let plain = 0;
  fc.assert(
    fc.property(texts, (text) => {
      const read = vi.spyOn(PlainTensors.prototype, 'read');
      const fast = outcome(text);
      plain += read.mock.results.filter(({ value }) => value !== undefined).length;
      read.mockReturnValue(undefined);
      expect(fast).toEqual(outcome(text));
      read.mockRestore();
    }),
    { numRuns: 3000 },
  );
  // Both are put to the test.
  expect(plain).toBeGreaterThan(500);
});

it('reads an entry that ends where the bytes end, and none that does not', () => {
  const text = '"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';
  for (let length = 0; length <= text.length; length++) {
    const outcomeOfPart = outcome(`{${text.slice(0, length)}`);
    expect(outcomeOfPart).toMatch(/header byte/);
  }
  expect(outcome(`{${text}}`)).toMatchObject({ declared: [{ name: 'a', shape: [1], end: 4 }] });
});

it('finds a name given twice however short the entries are', () => {
  // One- to four-letter names, each in 18 to 21 bytes, so that there are as many as a header can have.
  const entries = Array.from({ length: 20_000 }, (_, i) => `"${i.toString(36)}":["I8",[],[0,0]]`);
  expect(outcome(`{${entries.join(',')}}`)).toMatchObject({ declared: { length: 20_000 } });
  entries.push('"fe1":["I8",[],[0,0]]');
  expect(outcome(`{${entries.join(',')}}`)).toMatch(/two tensors have this name/);
});
