// GPTQ against outputs of the original code on one layer, in both kinds of kernels.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkerPool } from '../../src/compute/workerPool.js';
import { parseFormat } from '../../src/formats/index.js';
import { HOST } from '../support/checkpoints.js';
import { quantizeOn } from '../support/gptq.js';
import { plainGptq } from '../support/plainGptq.js';
import { floatsOf, readRawSafetensors } from '../support/rawSafetensors.js';

interface Entry {
  readonly name: string;
  readonly bits: number;
  readonly group: number;
  readonly sym?: boolean;
  readonly fmt?: 'fp' | 'nf' | 'int';
  readonly two_scale?: boolean;
  readonly actorder?: boolean;
  readonly static_groups?: boolean;
  readonly blocksize?: number;
  readonly percdamp?: number;
  readonly out_sqerr: number;
}

const folder = new URL('../fixtures/golden-calibration/', import.meta.url);
const { entries } = JSON.parse(readFileSync(new URL('manifest.json', folder), 'utf8')) as {
  entries: Entry[];
};
const tensors = readRawSafetensors(new URL('gptq.safetensors', folder));
const tensor = (name: string) => floatsOf(tensors.get(name)!);
const [OUTPUTS, INPUTS] = tensors.get('W')!.shape;

function formatOf({ bits, group, sym, fmt, two_scale: twoScale }: Entry): string {
  const name =
    fmt && fmt !== 'int'
      ? `${twoScale ? 'a' : ''}${fmt}${bits}`
      : `int${bits}-${sym ? 'sym' : 'asym'}`;
  return `${name}:${group === -1 ? 'row' : `g${group}`}`;
}

function expectClose(actual: Float32Array, expected: Float32Array): void {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const off = actual.reduce((sum, value, i) => {
    const allowed = 1e-5 * Math.max(Math.abs(expected[i]), 1e-3 * largest);
    return sum + (Math.abs(value - expected[i]) > allowed ? 1 : 0);
  }, 0);
  expect(off).toBe(0);
}

describe.each(['reference', 'wasm'] as const)('GPTQ with %s kernels', (backend) => {
  let pool: WorkerPool;
  beforeAll(async () => {
    pool = await WorkerPool.create(HOST, { backend });
  });
  afterAll(() => pool.dispose());

  it('has all vectors', () => expect(entries).toHaveLength(34));

  it.each(entries.map((entry) => [entry.name, entry] as const))('%s', async (name, entry) => {
    const { weights } = await quantizeOn(pool, {
      weights: tensor('W'),
      outputs: OUTPUTS,
      inputs: INPUTS,
      gram: tensor('H'),
      format: formatOf(entry),
      options: {
        damp: entry.percdamp ?? 0.01,
        block: entry.blocksize ?? 128,
        'act-order': entry.actorder ?? false,
        'static-groups': entry.static_groups ?? false,
      },
    });
    expectClose(weights, tensor(name));
  });

  it.each(['int4-asym:g16', 'afp3:g16', 'nf4:row'])(
    '%s with an input that is always zero, like the original loop',
    async (format) => {
      const layer = {
        weights: tensor('W'),
        outputs: OUTPUTS,
        inputs: INPUTS,
        gram: tensor('H_dead11'),
      };
      const { weights, findings } = await quantizeOn(pool, { ...layer, format });
      const expected = plainGptq({
        ...layer,
        format: parseFormat(format),
        damp: 0.01,
        block: 128,
        actOrder: false,
        staticGroups: false,
      });
      expectClose(weights, expected);
      for (let row = 0; row < OUTPUTS; row++) expect(weights[row * INPUTS + 11]).toBe(0);
      expect(findings[0].notes?.join()).toContain('1 input was zero in all rows');
    },
  );
});
