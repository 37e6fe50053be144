import { expect, test } from 'vitest';
import { describeError, describeSystemError } from '../../../src/storage/describeError.js';
import { CheckpointError, quoted } from '../../../src/storage/errors.js';
import { shorten } from '../../../src/storage/shorten.js';

const systemError = (message: string, more: object) => Object.assign(new Error(message), more);

test('what the system says is put into words, also when only its text is left', () => {
  const rename = "ENOTEMPTY: directory not empty, rename 'a' -> 'b'";
  const notEmpty = systemError(rename, { code: 'ENOTEMPTY', syscall: 'rename', path: 'a' });
  expect(describeError(notEmpty)).toBe('a: the folder is not empty');
  expect(describeError(new Error(rename))).toBe('the folder is not empty');
  expect(describeSystemError(new Error('EFBIG: file too large, write'))).toMatch(/larger than/);
  // One that is not in the list keeps its words and loses its code.
  expect(describeError(new Error('ENOSTR: device not a stream, open'))).toBe('device not a stream');
});

test('errors of the engine do not reach people', () => {
  const said = [
    () => (5 as unknown as string).split(' '),
    () => structuredClone(() => 1),
    () => new Array(-1),
    () => new Float32Array(2 ** 50),
    () => 'x'.repeat(2 ** 30),
  ].map((run) => {
    try {
      run();
    } catch (error) {
      return describeError(error);
    }
    throw new Error('nothing was thrown');
  });
  for (const line of said) expect(line).toMatch(/fault of its own|not enough memory/);
  expect(said.join()).not.toMatch(/is not a function|could not be cloned|Invalid array length/);
});

test('what an error says of its own is kept, on one line, and never endless', () => {
  expect(describeError(new Error('config.json: "a" is\nmissing'))).toBe(
    'config.json: "a" is missing',
  );
  expect(describeError('\u001b[31mred')).toBe('\\u{1b}[31mred');
  expect(describeError(new Error('x'.repeat(1e6))).length).toBeLessThanOrEqual(2000);
  expect(new CheckpointError('f'.repeat(1e6), '', 'NotAFile', '').message.length).toBeLessThan(
    1100,
  );
});

test('a long name keeps both of its ends', () => {
  const name = `model.${'a'.repeat(1000)}.weight`;
  expect(quoted(name)).toMatch(/^"model\.a+…a+\.weight"$/);
  expect(quoted(name)).toHaveLength(122);
  expect(shorten('𝟘𝟙𝟚𝟛𝟜𝟝', 5)).toBe('𝟘…𝟝');
  expect(shorten('short', 5)).toBe('short');
});
