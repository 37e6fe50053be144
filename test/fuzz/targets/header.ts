import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { layOutFile } from '../../../src/safetensors/layout.js';
import type { FileHeader } from '../../../src/storage/container.js';
import { countBitsPerElement } from '../../../src/storage/elementTypes.js';
import { CheckpointError } from '../../../src/storage/errors.js';
import { bytesOf, withPart, type Input } from '../input.js';
import { mutateFile, readHeader, smallFile } from '../safetensors.js';
import { promise, refusal, type FuzzTarget } from '../target.js';

const FILE = 'model.safetensors';

/** What holds for every header that is taken: its tensors tile the data, each of the size it needs. */
export function promiseTiling({ tensors, headerBytes }: FileHeader, sizeBytes: number): void {
  let reached = 8 + headerBytes;
  for (const { name, dtype, shape, offset, bytes, elements } of tensors) {
    promise(offset === reached, `"${name}" begins at ${offset}, not at ${reached}`);
    promise(bytes * 8 === elements * countBitsPerElement(dtype), `"${name}" has ${bytes} bytes`);
    const product = shape.includes(0) ? 0 : shape.reduce((one, other) => one * other, 1);
    promise(product === elements, `"${name}" of shape [${shape.join()}] has ${elements} elements`);
    reached += bytes;
  }
  promise(reached === sizeBytes, `the tensors end at ${reached} of ${sizeBytes} bytes`);
  const names = new Set(tensors.map(({ name }) => name));
  promise(names.size === tensors.length, 'two tensors have the same name');
}

function describe({ tensors, metadata }: FileHeader): string {
  const list = tensors.map(({ name, dtype, shape, bytes }) =>
    JSON.stringify([name, dtype, shape, bytes]),
  );
  const texts = Object.entries(metadata).map((entry) => JSON.stringify(entry));
  return `${list.sort().join('\n')}\n\n${texts.sort().join('\n')}`;
}

/** A file's header: what is taken is true, and can be written and read again. */
export const header: FuzzTarget = {
  name: 'header',
  seeds(root): Input[] {
    const hostile = join(root, 'test/fixtures/hostile');
    const files = readdirSync(hostile)
      .filter((name) => name.endsWith('.safetensors'))
      .map((name) => readFileSync(join(hostile, name)) as Uint8Array);
    const models = ['llama-gqa-llama3rope', 'gpt2', 'phi3'].map((name) =>
      smallFile(join(root, 'test/fixtures/golden-models', name, FILE), 6),
    );
    return [...models, ...files].map((bytes) => [{ name: FILE, bytes }]);
  },
  mutate(input, random, pool) {
    const donor = bytesOf(random.pick(pool), FILE);
    return withPart(input, FILE, mutateFile(bytesOf(input, FILE), random, donor));
  },
  async check(input) {
    const bytes = bytesOf(input, FILE);
    let read: FileHeader;
    try {
      read = await readHeader(bytes, FILE);
    } catch (error) {
      return refusal(error, CheckpointError);
    }
    promiseTiling(read, bytes.length);
    // Dimensions beyond 2^53 can be read, of tensors without elements, but not written.
    if (read.tensors.some(({ exactShape }) => exactShape)) return true;
    const { head, sizeBytes } = layOutFile(read.tensors, read.metadata, FILE);
    const written = new Uint8Array(sizeBytes);
    written.set(head);
    const again = await readHeader(written, FILE);
    promiseTiling(again, sizeBytes);
    promise(describe(again) === describe(read), 'what was written is not what was read');
    return true;
  },
};
