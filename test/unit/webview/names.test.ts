import { describe, expect, it } from 'vitest';
import { shortNames, shortestTails, visibleName } from '../../../webview/components/names.js';

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

  it.each([
    ['Llama', ['self_attn.q_proj', 'mlp.up_proj'], ['q_proj', 'up_proj']],
    [
      'GPT-2',
      ['attn.c_attn', 'attn.c_proj', 'mlp.c_fc', 'mlp.c_proj'],
      ['c_attn', 'attn.c_proj', 'c_fc', 'mlp.c_proj'],
    ],
    [
      'GPT-NeoX',
      ['attention.query_key_value', 'attention.dense', 'mlp.dense_h_to_4h'],
      ['query_key_value', 'dense', 'dense_h_to_4h'],
    ],
    [
      'a mixture of experts',
      ['mlp.experts.0.up_proj', 'mlp.experts.1.up_proj', 'mlp.gate'],
      ['0.up_proj', '1.up_proj', 'gate'],
    ],
    [
      'layers',
      ['layers.0', 'layers.1', 'vision.layers.0', 'lm_head.weight'],
      ['layers.0', 'layers.1', 'vision.layers.0', 'lm_head.weight'],
    ],
    ['names alike', ['a', 'a', '0', ''], ['a', 'a', '0', '']],
  ])('of %s are short, and still tell tensors apart', (_, names, tails) => {
    expect(shortestTails(names)).toEqual(tails);
  });

  it('of very many parts stay whole at once', () => {
    const names = [`0${'.x'.repeat(100_000)}`, `1${'.x'.repeat(100_000)}`];
    expect(shortestTails(names)).toEqual(names);
  });

  it('show what would be invisible', () => {
    expect(visibleName('a\u202Eb')).toBe('a⟨U+202E⟩b');
    expect(visibleName('')).toBe('(empty name)');
    expect(visibleName('重み 🦙')).toBe('重み 🦙');
  });

  it('are shown by both ends where they are very long', () => {
    const name = `a\u0001${'x'.repeat(1_000_000)}z`;
    const shown = visibleName(name);
    expect(shown).toMatch(/^a⟨U\+0001⟩x+⟨998003 more characters⟩x+z$/);
    expect(shown.length).toBeLessThan(2100);
  });
});
