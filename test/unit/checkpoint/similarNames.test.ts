import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findRole } from '../../../src/checkpoint/tensorRoles.js';
import { findExperts } from '../../../src/checkpoint/experts.js';
import { findLastNumber, SimilarNames } from '../../../src/checkpoint/similarNames.js';
import { runAtOnce } from '../../../src/storage/slices.js';
import type { StoredTensor } from '../../../src/storage/container.js';

/** What a name is without the number that may differ. */
function kindOf(name: string): string | undefined {
  const match = /^(.*\.)([0-9]{1,9})((?:\.(?![0-9]{1,9}(?:\.|$))[^.]*)*)$/s.exec(name);
  return match ? `${match[1]}#${match[3]}` : undefined;
}

const name = fc
  .array(fc.constantFrom('a', 'w1', '0', '1', '17', '', '123456789', '1234567890', 'x1', '1x'), {
    minLength: 1,
    maxLength: 5,
  })
  .map((parts) => parts.join('.'));

describe('similar names', () => {
  it('are those that differ in the last number of a module alone', () => {
    fc.assert(
      fc.property(name, name, (a, b) => {
        const names = new SimilarNames<string>();
        names.remember(a, 'found');
        const kind = kindOf(a);
        const isSimilar = kind !== undefined && kindOf(b) === kind;
        expect(names.find(b)).toBe(isSimilar ? 'found' : undefined);
      }),
      { numRuns: 5000 },
    );
  });

  it('finds where the number stands', () => {
    expect(findLastNumber('layers.3.experts.17.w1')).toEqual({ start: 17, end: 19 });
    expect(findLastNumber('layers.3')).toEqual({ start: 7, end: 8 });
    for (const each of ['', '3', '3.a', '.', '..', 'a.x3', 'a.1234567890']) {
      expect(findLastNumber(each), each).toBeUndefined();
    }
  });

  it('forgets the oldest kinds, and no new ones', () => {
    const names = new SimilarNames<number>();
    for (let kind = 0; kind < 20; kind++) names.remember(`m${kind}.0.w`, kind);
    expect(names.find('m19.5.w')).toBe(19);
    expect(names.find('m0.5.w')).toBeUndefined();
  });
});

const tensor = (name: string, shape: readonly number[] = [4, 4]): StoredTensor => ({
  ...{ name, shape, file: 'f', dtype: 'F32', offset: 0, bytes: 0, elements: 0 },
});

it('mixtures of all layers are found, wherever the number of the expert stands', () => {
  const tensors = [0, 1, 2].flatMap((layer) =>
    ['mlp.experts.0.w1', 'mlp.experts.1.w1', 'moe.experts.2x.w1', 'other.0.experts.gate'].map(
      (rest) => tensor(`layers.${layer}.${rest}.weight`),
    ),
  );
  const { mixtures } = runAtOnce(findExperts(tensors, undefined, () => undefined));
  expect([...mixtures].sort()).toEqual(
    [0, 1, 2].flatMap((layer) => [
      `layers.${layer}.mlp`,
      `layers.${layer}.moe`,
      `layers.${layer}.other.0`,
    ]),
  );
});

it('roles do not depend on what was asked before', () => {
  const asked = [
    ['layers.0.mlp.gate.weight', [4, 64]],
    ['layers.1.mlp.gate.weight', [64, 64]],
    ['layers.0.conv.weight', [4, 4, 3, 3]],
    ['layers.1.conv.weight', [4, 4]],
    ['layers.0.attn.weight', [4, 4, 3, 3]],
    ['layers.1.attn.weight', [4, 4]],
  ] as const;
  const first = asked.map(([each, shape]) => findRole(tensor(each, shape)));
  const again = [...asked].reverse().map(([each, shape]) => findRole(tensor(each, shape)));
  expect(again.reverse()).toEqual(first);
  expect(first[0].reason).toBe('a router');
  expect(first[1].reason).toBeUndefined();
  expect(first[4].reason).toBe('a convolution');
  expect(first[5].reason).toBeUndefined();
});
