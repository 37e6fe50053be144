import { expect, test } from 'vitest';
import { makeSafeFileName } from '../../../src/vscode/safeFileName.js';

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

test('a file name is one on every system', () => {
  expect(makeSafeFileName('model-layers.0-int4:g128', '.json')).toBe(
    'model-layers.0-int4-g128.json',
  );
  expect(makeSafeFileName('../../etc/passwd', '.csv')).toBe('etc-passwd.csv');
  expect(makeSafeFileName('--version', '.png')).toBe('version.png');
  expect(makeSafeFileName('con', '.txt')).toBe('_con.txt');
  expect(makeSafeFileName('\u202e\u0000/', '.txt')).toBe('untitled.txt');
});

test('a long name keeps its extension and fits', () => {
  for (const stem of ['a'.repeat(1000), '重'.repeat(300), '.'.repeat(1e6), '𝟘'.repeat(5000)]) {
    const name = makeSafeFileName(stem, '.safetensors');
    expect(name).toMatch(/\.safetensors$/);
    expect(bytesOf(name)).toBeLessThanOrEqual(201);
    expect(name).not.toMatch(/\p{Cs}/u);
  }
});
