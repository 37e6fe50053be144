import { expect, test } from 'vitest';
import { Warnings } from '../../../src/cli/warnings.js';

test('warnings are said once each, and only so many of them', () => {
  let said = '';
  const warnings = new Warnings({ write: (text) => (said += text) });
  for (let index = 0; index < 1000; index++) warnings.add(`shard ${index % 500} is missing`);
  warnings.end();
  const lines = said.trimEnd().split('\n');
  expect(lines).toHaveLength(21);
  expect(lines[0]).toBe('quantscope: warning: shard 0 is missing');
  expect(lines[20]).toBe('quantscope: 960 more warnings are not shown');
  expect(new Set(lines).size).toBe(21);
});
