import { describe, expect, it } from 'vitest';
import { codeValue, decodeElements } from '../../../src/kernels/reference/decode.js';
import {
  bitsPerElement,
  ELEMENT_TYPES,
  hasPlainNumbers,
  storedBytes,
  type ElementTypeName,
} from '../../../src/storage/elementTypes.js';

const NAMES = Object.keys(ELEMENT_TYPES) as ElementTypeName[];

describe('element types', () => {
  it('say how many bytes a run of elements takes, in whole blocks', () => {
    expect(storedBytes('BF16', 3)).toBe(6);
    expect(storedBytes('F4', 6)).toBe(3);
    expect(storedBytes('F6_E2M3', 8)).toBe(6);
    expect(bitsPerElement('F6_E3M2')).toBe(6);
    expect(() => storedBytes('F4', 3)).toThrow(RangeError);
    expect(() => storedBytes('F6_E2M3', 6)).toThrow('do not fill blocks');
  });

  it('have plain numbers exactly where the kernels can widen them', () => {
    const widens = (name: ElementTypeName) => {
      try {
        decodeElements(name, new Uint8Array(8), new Float32Array(1));
        return true;
      } catch {
        return false;
      }
    };
    for (const name of NAMES) expect([name, hasPlainNumbers(name)]).toEqual([name, widens(name)]);
  });

  it('are counted code by code where they have at most 16 bits', () => {
    for (const name of NAMES.filter(hasPlainNumbers)) {
      expect([name, codeValue(name) !== undefined]).toEqual([name, bitsPerElement(name) <= 16]);
    }
  });
});
