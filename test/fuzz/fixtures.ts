import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Input, Part } from './input.js';

/** The files of a folder as one input. */
function readInput(folder: string): Input {
  return readdirSync(folder).map((name): Part => {
    return { name, bytes: readFileSync(join(folder, name)) };
  });
}

/**
 * Inputs that once broke a target: each is a folder of files in `test/fixtures/fuzz/TARGET`.
 * @param root the repository's top folder
 */
export function readFixtures(root: string, target: string): Input[] {
  const folder = join(root, 'test', 'fixtures', 'fuzz', target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((name) => readInput(join(folder, name)));
}
