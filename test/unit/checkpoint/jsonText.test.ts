import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../../src/checkpoint/jsonText.js';

const python = (text: string) => parseJson(text, { pythonNumbers: true });

describe('JSON from files', () => {
  it('is what JSON.parse makes of it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parseJson(text)).toEqual(JSON.parse(text));
        expect(python(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('may have the numbers that Python writes, outside of strings', () => {
    const text =
      '{"NaN":NaN,"a":[Infinity,-Infinity,-1],"b":"\\"NaN,Infinity\\\\","c":"-Infinity"}';
    expect(python(text)).toEqual({
      NaN: 'NaN',
      a: [Infinity, -Infinity, -1],
      b: '"NaN,Infinity\\',
      c: '-Infinity',
    });
    expect(() => parseJson(text)).toThrow('byte 7: expected a value, found NaN');
  });

  it.each([
    ['{"a": 1, b}', 'byte 9: expected a key in quotation marks, found "b"'],
    ['{"é": nothing}', 'byte 7: expected null, found "n"'],
    ['{"a": NaN, "b": x}', 'byte 16: expected a value, found "x"'],
    ['[1Infinity]', 'byte 2: expected'],
    ['[Infinity1]', 'byte 9: expected'],
    ['[1-Infinity]', 'byte 2: expected'],
    ['[-NaN]', 'byte 2: expected a digit'],
    ['[NaNNaN]', 'byte 4: expected'],
    ['["\\NaN"]', 'byte 1: a string with an invalid escape'],
    ['', 'byte 0: expected a value, found the end of the text'],
    [`{"a": "${'\\"'.repeat(200_000)}`, 'byte 6: a string does not end'],
    ['['.repeat(1_000_000), 'byte 127: nesting deeper than 127 levels'],
    ['{"a":'.repeat(200_000), 'byte 635: nesting deeper than 127 levels'],
    [`${'['.repeat(128)}${']'.repeat(128)}`, 'byte 127: nesting deeper than 127 levels'],
  ])('%.30j is refused with the place', (text, message) => {
    expect(() => python(text)).toThrow(`the JSON cannot be read: ${message}`);
  });

  it('may nest as deeply as real files do', () => {
    expect(JSON.stringify(parseJson('['.repeat(127) + ']'.repeat(127)))).toHaveLength(254);
  });
});
