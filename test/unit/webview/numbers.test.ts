import { describe, expect, it } from 'vitest';
import {
  formatDuration,
  formatExponential,
  formatFixed,
  formatShare,
  formatSize,
  formatWeight,
  superscript,
  weightDecimals,
} from '../../../webview/components/numbers.js';

describe('numbers as people read them', () => {
  it('have a true minus, grouped thousands and no negative zero', () => {
    expect(formatFixed(-1234.5, 1)).toBe('−1,234.5');
    expect(formatFixed(-0.00001, 2)).toBe('0.00');
    expect(formatExponential(-1.6449e-4)).toBe('−1.64e−4');
    expect([formatFixed(Infinity, 2), formatFixed(-Infinity, 2), formatFixed(NaN, 2)]).toEqual([
      '∞',
      '−∞',
      'NaN',
    ]);
    expect(superscript(-12)).toBe('⁻¹²');
  });

  it('give weights one precision by the largest, and an exponent where it leaves nothing', () => {
    expect(weightDecimals(0.4395)).toBe(4);
    expect(weightDecimals(1.9375)).toBe(3);
    expect(formatWeight(-0.43945, 4)).toBe('−0.4395');
    expect(formatWeight(-0.000164, 4)).toBe('−1.64e−4');
    expect(formatWeight(0, 4)).toBe('0');
  });

  it('never call a small share none', () => {
    expect(formatShare(0.0893)).toBe('8.9');
    expect(formatShare(0.0004)).toBe('< 0.1');
    expect(formatShare(0)).toBe('0.0');
  });

  it('state sizes in units of 1024 and times vaguely', () => {
    expect([512, 65_536, 393_216, 1_572_864].map(formatSize)).toEqual([
      '512 B',
      '64.0 KB',
      '384 KB',
      '1.50 MB',
    ]);
    expect([0.2, 7.4, 200, 9000].map(formatDuration)).toEqual([
      'about 1 s',
      'about 7 s',
      'about 3 min',
      'about 2.5 h',
    ]);
  });
});
