import { describe, expect, it } from 'vitest';
import { codeValue, decodeElements } from '../../../src/storage/elementValues.js';
import {
  countBitsPerElement,
  ELEMENT_TYPES,
  hasPlainNumbers,
  countStoredBytes,
  type ElementTypeName,
} from '../../../src/storage/elementTypes.js';

const NAMES = Object.keys(ELEMENT_TYPES) as ElementTypeName[];

describe('element types', () => {
  it('say how many bytes a run of elements takes, in whole blocks', () => {
    expect(countStoredBytes('BF16', 3)).toBe(6);
    expect(countStoredBytes('F4', 6)).toBe(3);
    expect(countStoredBytes('F6_E2M3', 8)).toBe(6);
    expect(countBitsPerElement('F6_E3M2')).toBe(6);
    expect(() => countStoredBytes('F4', 3)).toThrow(RangeError);
    expect(() => countStoredBytes('F6_E2M3', 6)).toThrow('do not fill blocks');
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
      expect([name, codeValue(name) !== undefined]).toEqual([
        name,
        countBitsPerElement(name) <= 16,
      ]);
    }
  });
});
