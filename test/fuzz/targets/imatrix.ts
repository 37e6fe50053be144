import { encodeImatrix } from '../../../src/gguf/imatrixBytes.js';
import { meanSquaresOf, readImatrixAtOnce } from '../../../src/gguf/imatrix.js';
import { CheckpointError } from '../../../src/storage/errors.js';
import { bytesOf, withPart, type Input } from '../input.js';
import { mutateBytes } from '../mutateBytes.js';
import { promise, refusal, type FuzzTarget } from '../target.js';

const FILE = 'imatrix.gguf';

function ggufSeed(matrices: number): Input {
  const entry = {
    inputs: 4,
    matrices,
    sums: Float32Array.from({ length: 4 * matrices }, (_, i) => i),
    counts: new Float32Array(matrices).fill(2),
  };
  const parts = encodeImatrix({
    datasets: ['a.txt'],
    chunkCount: 3,
    chunkSize: 512,
    entries: new Map([
      ['blk.0.attn_q.weight', entry],
      ['blk.0.ffn_up_exps.weight', entry],
    ]),
  });
  return [{ name: FILE, bytes: Uint8Array.from(Buffer.concat(parts)) }];
}

function legacySeed(): Input {
  const int = (...values: number[]) => Buffer.from(Int32Array.from(values).buffer);
  const name = Buffer.from('blk.0.attn_q.weight');
  const values = Buffer.from(Float32Array.of(1, 2, 0, 4).buffer);
  const entry = [int(name.length), name, int(3, 4), values];
  const end = [int(3, 5), Buffer.from('a.txt')];
  const bytes = Uint8Array.from(Buffer.concat([int(1), ...entry, ...end]));
  return [{ name: FILE, bytes }];
}

/** Importance matrices of llama.cpp, of both formats. */
export const imatrix: FuzzTarget = {
  name: 'imatrix',
  seeds: () => [ggufSeed(1), ggufSeed(3), legacySeed()],
  mutate(input, random, pool) {
    const donor = random.pick(random.pick(pool)).bytes;
    return withPart(input, FILE, mutateBytes(bytesOf(input, FILE), random, donor));
  },
  check(input) {
    try {
      const { entries } = readImatrixAtOnce(bytesOf(input, FILE), FILE);
      promise(entries.size > 0, 'a matrix without entries');
      for (const entry of entries.values()) {
        promise(entry.sums.length === entry.inputs * entry.matrices, 'sums that are no matrices');
        for (let matrix = 0; matrix < entry.matrices; matrix++) {
          promise(
            meanSquaresOf(entry, matrix).every((value) => value >= 0),
            'a mean square that is no number from 0',
          );
        }
      }
      return Promise.resolve(true);
    } catch (error) {
      return Promise.resolve(refusal(error, CheckpointError));
    }
  },
};
