import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { CheckpointError, type CheckpointRule } from '../../src/storage/errors.js';
import { rawFile } from './rawSafetensors.js';

/** A file of U8 tensors, one byte per element, one after another. */
export function bytesFile(
  tensors: Readonly<Record<string, number>>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  let end = 0;
  const members = metadata ? [`"__metadata__":${JSON.stringify(metadata)}`] : [];
  for (const [name, size] of Object.entries(tensors)) {
    members.push(
      `${JSON.stringify(name)}:{"dtype":"U8","shape":[${size}],"data_offsets":[${end},${end + size}]}`,
    );
    end += size;
  }
  return rawFile(`{${members.join(',')}}`, end);
}

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** A new folder that is removed after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'safetensors-'));
  folders.push(folder);
  return folder;
}

/** Writes files into a new folder that is removed after the test. */
export async function folderOf(files: Readonly<Record<string, string | Uint8Array>>) {
  const folder = await temporaryFolder();
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

/** The CheckpointError that `action` ends in; fails the test if there is none, or its message is not one line. */
export async function refusal(action: () => unknown): Promise<CheckpointError> {
  let thrown: unknown;
  try {
    await action();
  } catch (error) {
    thrown = error;
  }
  if (!(thrown instanceof CheckpointError)) {
    throw new Error(`expected a CheckpointError, got ${String(thrown)}`, { cause: thrown });
  }
  expect(thrown.message).not.toMatch(/[\n\r\p{Zl}\p{Zp}]/u);
  expect(thrown.message).toContain(thrown.rule);
  return thrown;
}

/** Expects a refusal by one rule, its message naming all of `mentions`. */
export async function expectRefusal(
  action: () => unknown,
  rule: CheckpointRule,
  ...mentions: string[]
): Promise<void> {
  const error = await refusal(action);
  expect({ rule: error.rule, message: error.message }).toMatchObject({ rule });
  for (const mention of mentions) expect(error.message).toContain(mention);
}
