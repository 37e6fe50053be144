import { expect, test } from 'vitest';
import { makeExpressionMatcher } from '../../../../src/jobs/check/expressionMatcher.js';

const NAMES = [
  ...['lm_head', 'model.layers.0.mlp.gate', 'model.layers.0.mlp.gate_proj'],
  ...['model.layers.12.self_attn.q_proj', 'visual.blocks.3.mlp.up', 'modelXlayers'],
];

test.each([
  '.*gate',
  '.*gate$',
  '.*mlp.gate$',
  String.raw`model\.layers\.\d+\.mlp\.gate$`,
  String.raw`^model\.layers\.[0-9]+\..*`,
  'model.layers',
  '.*(q_proj|up)$',
  '(?:visual|lm_head).*',
  '.+_head',
  'lm_head',
])('%s matches what Python has it match', (expression) => {
  const matches = makeExpressionMatcher(expression)!;
  const reference = new RegExp(`^(?:${expression})`);
  for (const name of NAMES) expect([name, matches(name)]).toEqual([name, reference.test(name)]);
});

test.each(['(a+)+$', 'a{3}', '[a-z]', 'a(b(c))', 'a|b', '(a', 'a)', 'a?', '(?!x)a', '\\w', 'a$b'])(
  '%s is not understood, and said to be so',
  (expression) => {
    expect(makeExpressionMatcher(expression)).toBeUndefined();
  },
);
