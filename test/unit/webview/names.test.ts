import { describe, expect, it } from 'vitest';
import { shortNames, visibleName } from '../../../webview/components/names.js';

describe('names', () => {
  it('keep ".weight" where it tells tensors apart', () => {
    const names = ['q_proj.weight', 'fc.weight', 'fc.bias', 'norm', 'norm.weight', 'weight'];
    expect(shortNames(names)).toEqual([
      'q_proj',
      'fc.weight',
      'fc.bias',
      'norm',
      'norm.weight',
      'weight',
    ]);
  });

  it('show what would be invisible', () => {
    expect(visibleName('a\u202Eb')).toBe('a⟨U+202E⟩b');
    expect(visibleName('')).toBe('(empty name)');
    expect(visibleName('重み 🦙')).toBe('重み 🦙');
  });
});
