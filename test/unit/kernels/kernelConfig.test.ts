import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { FORMAT_CATALOGUE, makeFormat } from '../../../src/formats/index.js';
import { CONFIG_BYTES, CONFIG_FIELDS } from '../../../src/kernels/wasm/configSchema.js';
import { configSource } from '../../../src/kernels/wasm/configSource.js';
import { hasKernel, writeConfig } from '../../../src/kernels/wasm/kernelConfig.js';

const GRID_AT = 256;
const CHOICES_AT = 2048;

/** The configuration of a format, by field. */
function configOf(name: string): Record<string, number> {
  const entry = FORMAT_CATALOGUE.find((each) => each.name === name)!;
  const format = makeFormat(entry, { kind: 'tensor' }, 'clip');
  const buffer = new ArrayBuffer(4096);
  // Whatever an earlier call has left must not matter.
  new Uint8Array(buffer).fill(0xa5);
  const tensorRange = { lo: -0.25, hi: 0.5 };
  writeConfig(
    buffer,
    { config: 0, grid: GRID_AT, choices: CHOICES_AT },
    { format, scaleDtype: 'bf16', tensorRange },
  );
  const memory = new DataView(buffer);
  const words = Object.entries(CONFIG_FIELDS).map(([field, { type }], word): [string, number] => [
    field,
    type === 'f32' ? memory.getFloat32(word * 4, true) : memory.getInt32(word * 4, true),
  ]);
  return Object.fromEntries(words);
}

it('assembly/config.ts is what the schema says', () => {
  const file = new URL('../../../src/kernels/wasm/assembly/config.ts', import.meta.url);
  expect(readFileSync(file, 'utf8')).toBe(configSource());
});

it('writes fields by name, as their type, and clears the others', () => {
  const places = { grid: GRID_AT, choices: CHOICES_AT };
  const common = { dtype: 2, search: 2, range: 1, tensorLo: -0.25, tensorHi: 0.5, ...places };
  const blank = Object.fromEntries(Object.keys(CONFIG_FIELDS).map((field) => [field, 0]));
  expect(configOf('int4-absmax')).toEqual({
    ...{ ...blank, ...common },
    ...{ rule: 0, variant: 3, lowestCode: -8, highestCode: 7, fixedZero: -1 },
  });
  expect(configOf('afp4-e2m1')).toEqual({
    ...{ ...blank, ...common },
    ...{ rule: 3, variant: 1, ties: 1, divisor: 6, divisorExponent: 2 },
    ...{ fractionBits: 1, minExponentBits: 0x3f800000, largest: 6, signBit: 8 },
  });
  expect(CONFIG_BYTES).toBe(4 * Object.keys(blank).length);
});

it('has vector kernels for all but casts and block formats, which have their own', () => {
  for (const entry of FORMAT_CATALOGUE) {
    const expected = entry.family !== 'GGUF' && entry.family !== 'Cast';
    expect(hasKernel(makeFormat(entry, { kind: 'row' })), entry.name).toBe(expected);
  }
});
