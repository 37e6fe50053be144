import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeSafetensors, writeShardIndex } from '../../../src/safetensors/node/writer.js';
import type { TensorEntry } from '../../../src/safetensors/layout.js';
import { CheckpointError } from '../../../src/storage/errors.js';
import { textInput, textOf, withPart } from '../input.js';
import { evaluateTree, parseTree } from '../json.js';
import { mutateJson } from '../mutateJson.js';
import { dtypeOf, HEADER_WORDS, readHeader, readIndex, shapeOf } from '../safetensors.js';
import { scratchFolder } from '../scratch.js';
import { promise, refusal, type FuzzTarget } from '../target.js';
import { promiseTiling } from './header.js';

const FILE = 'tensors.json';
const MAX_BYTES = 1 << 18;

let folder: string | undefined;

interface Asked {
  readonly tensors: readonly TensorEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** What a text asks to be written; values keep whatever type they have. */
function askedBy(text: string): Asked | undefined {
  const tree = parseTree(text);
  const value = tree && (evaluateTree(tree) as { tensors?: unknown; metadata?: unknown } | null);
  if (typeof value !== 'object' || value === null || !Array.isArray(value.tensors))
    return undefined;
  const tensors = (value.tensors as (Record<string, unknown> | null)[]).map(
    (fields): TensorEntry => {
      const { name, dtype, shape } = fields ?? {};
      return {
        name: typeof name === 'string' ? name : '',
        dtype: dtypeOf(dtype),
        shape: shapeOf(shape),
      };
    },
  );
  const { metadata } = value;
  const texts =
    typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata) ? metadata : {};
  return { tensors, metadata: texts as Record<string, string> };
}

/** What the writer writes: whole files that the reader reads as they were meant, or a refusal. */
export const layout: FuzzTarget = {
  name: 'writer',
  seeds: () =>
    [
      '{"tensors":[{"name":"b","dtype":"F32","shape":[2,3]},{"name":"a","dtype":"BF16","shape":[]}],"metadata":{"format":"pt"}}',
      '{"tensors":[{"name":"","dtype":"F4","shape":[2]},{"name":"é","dtype":"F6_E2M3","shape":[4,0]}],"metadata":{}}',
      '{"tensors":[],"metadata":{"__proto__":"x","1":"y","":""}}',
    ].map((text) => textInput(FILE, text)),
  mutate(input, random, pool) {
    const words = [...HEADER_WORDS, '"name"', '"tensors"', '"metadata"'];
    const donors = [textOf(random.pick(pool), FILE)];
    return withPart(input, FILE, mutateJson(textOf(input, FILE), random, { donors, words }));
  },
  async check(input) {
    const asked = askedBy(textOf(input, FILE));
    if (!asked) return false;
    folder ??= scratchFolder();
    const path = join(folder, 'model.safetensors');
    let next = 0;
    try {
      await writeSafetensors(path, asked.tensors, asked.metadata, async ({ name }, sink) => {
        if (sink.bytes > MAX_BYTES)
          throw new CheckpointError(name, '', 'WriteFailed', 'too large for a test');
        const bytes = Uint8Array.from({ length: sink.bytes }, () => next++ & 255);
        await sink.write(bytes.subarray(0, 5));
        await sink.write(bytes.subarray(5));
      });
    } catch (error) {
      return refusal(error, CheckpointError);
    }
    const file = readFileSync(path);
    const read = await readHeader(file, 'model.safetensors');
    promiseTiling(read, file.length);
    const [stated, given] = [read.metadata, asked.metadata].map((texts) =>
      JSON.stringify(Object.entries(texts).map(String).sort()),
    );
    promise(stated === given, 'the metadata are not those that were given');
    promise(read.tensors.length === asked.tensors.length, 'tensors are missing');
    for (const { name, dtype, shape } of asked.tensors) {
      const found = read.tensors.find((tensor) => tensor.name === name);
      promise(
        found?.dtype === dtype && found.shape.join() === shape.join(),
        `"${name}" is another tensor`,
      );
    }
    const data = file.subarray(8 + read.headerBytes);
    promise(
      data.every((byte, i) => byte === (i & 255)),
      'the data are not those that were given',
    );
    if (read.tensors.length > 0)
      await promiseIndex(join(folder, 'model.safetensors.index.json'), read.tensors);
    return true;
  },
};

async function promiseIndex(
  path: string,
  tensors: readonly { readonly name: string; readonly bytes: number }[],
): Promise<void> {
  await writeShardIndex(path, [{ file: 'model.safetensors', tensors }]);
  const bytes = readFileSync(path);
  const weightMap = await readIndex(bytes, 'index');
  promise(weightMap.size === tensors.length, 'the index lacks tensors');
  promise(
    tensors.every(({ name }) => weightMap.has(name)),
    'the index has other tensors',
  );
}
