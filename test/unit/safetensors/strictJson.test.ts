import { describe, expect, it } from 'vitest';
import { StrictJsonError, StrictJsonReader } from '../../../src/safetensors/strictJson.js';
import { runAtOnce } from '../../../src/storage/slices.js';

const reader = (text: string | Uint8Array) => new StrictJsonReader(Buffer.from(text));

/** Error of reading the whole text as one value; undefined when it is JSON. */
function fault(text: string | Uint8Array): string | undefined {
  try {
    const json = reader(text);
    runAtOnce(json.skipValue());
    json.end();
  } catch (error) {
    expect(error).toBeInstanceOf(StrictJsonError);
    return (error as StrictJsonError).message;
  }
  return undefined;
}

describe('StrictJsonReader', () => {
  it.each([
    '{}',
    ' \t\r\n[ ] \n',
    '[1,-0,0.5,1e5,1E-5,-12.5e+3,true,false,null,"x"]',
    '{"a":{"b":[{}]},"":[]}',
    '"\\u0061\\n\\"\\\\\\/\\ud83d\\ude00\u2028é😀"',
    '123456789012345678901234567890',
  ])('takes %j', (text) => {
    expect(fault(text)).toBeUndefined();
    expect(() => JSON.parse(text)).not.toThrow();
  });

  it.each([
    ['', 'byte 0: expected a value, found the end of the text'],
    ['{} x', 'found "x"'],
    ['{}\0', 'found a NUL byte'],
    ['\ufeff{}', 'found a byte-order mark'],
    ['[1,]', 'byte 3: a trailing comma'],
    ['{"a":1,}', 'a trailing comma'],
    ['[1 2]', 'expected "," or "]"'],
    ['{"a" 1}', 'expected ":"'],
    ['{a:1}', 'expected a key in quotation marks'],
    ["['a']", `found "'"`],
    ['[NaN]', 'found NaN'],
    ['[Infinity]', 'found Infinity'],
    ['[-Infinity]', 'expected a digit, found Infinity'],
    ['[1/*c*/]', 'found a comment'],
    ['[//c\n1]', 'found a comment'],
    ['[01]', 'a leading zero'],
    ['[-01]', 'a leading zero'],
    ['[1.]', 'expected a digit'],
    ['[.5]', 'expected a value'],
    ['[+1]', 'expected a value'],
    ['[1e]', 'expected a digit'],
    ['[1e999]', 'a number out of range'],
    ['["a', 'a string does not end'],
    ['["a\\', 'a string does not end'],
    ['["a\nb"]', 'byte 3: a control character'],
    ['["\\x41"]', 'an invalid escape'],
    ['["\\u12g4"]', 'an invalid escape'],
    ['["\\\n"]', 'an invalid escape'],
    ['["\\ud800"]', 'a lone surrogate'],
    ['["\\udc00\\ud800"]', 'a lone surrogate'],
    ['["\\ud800x\\udc00"]', 'a lone surrogate'],
    ['[tru]', 'expected true'],
    ['[nul', 'expected null'],
    ['[', 'the end of the text'],
  ])('refuses %j', (text, reason) => {
    expect(fault(text)).toContain(reason);
    expect(() => {
      const value: unknown = JSON.parse(text);
      // JSON.parse takes lone surrogates and overflowing numbers; those two are our own.
      if (/ud800|e999/.test(text)) throw new Error(String(value));
    }).toThrow();
  });

  it('nests 127 deep and no deeper, as the reference does', () => {
    expect(fault('['.repeat(127) + ']'.repeat(127))).toBeUndefined();
    expect(fault('['.repeat(128) + ']'.repeat(128))).toContain('nesting deeper than 127 levels');
    expect(fault('{"a":'.repeat(2_000_000))).toContain('nesting');
  });

  it('shows every key, duplicates and escapes included', () => {
    const json = reader('{"a":1,"\\u0061":2,"__proto__":3,"é":4}');
    const keys: string[] = [];
    json.enterObject();
    for (let key = json.nextKey(); key !== undefined; key = json.nextKey()) {
      keys.push(key);
      runAtOnce(json.skipValue());
    }
    json.end();
    expect(keys).toEqual(['a', 'a', '__proto__', 'é']);
  });

  it('keeps strings apart that look alike to its cache of short strings', () => {
    const words = ['ab', 'ac', 'bb', 'aab', 'aac', 'shape', 'shope', 'slype', 'a', ''];
    const json = reader(JSON.stringify([...words, ...words]));
    const read: string[] = [];
    json.enterArray();
    while (json.nextElement()) read.push(json.readString());
    expect(read).toEqual([...words, ...words]);
  });

  it('keeps all digits of 64-bit integers', () => {
    const cases: [string, number | bigint][] = [
      ['0', 0],
      ['7', 7],
      ['999999999999999', 999999999999999],
      ['9007199254740991', 9007199254740991],
      ['9007199254740992', 9007199254740992n],
      ['9007199254740993', 9007199254740993n],
      ['18446744073709551615', 18446744073709551615n],
    ];
    for (const [text, value] of cases) expect(reader(text).readUnsigned()).toBe(value);
  });

  it.each([
    ['18446744073709551616', 'over 2^64'],
    ['9'.repeat(1_000_000), 'over 2^64'],
    ['-1', 'a negative number'],
    ['-0', 'a negative number'],
    ['1.0', 'a fraction or an exponent'],
    ['1e0', 'a fraction or an exponent'],
    ['00', 'a leading zero'],
    ['"1"', 'expected an unsigned integer'],
    ['null', 'expected an unsigned integer'],
    ['NaN', 'found NaN'],
  ])('is no unsigned integer: %.20s', (text, reason) => {
    expect(() => reader(text).readUnsigned()).toThrow(reason);
  });
});
