// The compiled modules of a forward pass: where their constants lie, and which build is loaded.
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { makeNodeHost } from '../../../src/host/node/nodeHost.js';
import { loadForwardModule } from '../../../src/kernels/wasm/wasmForward.js';
import { HOST } from '../../support/checkpoints.js';
import { wasmForward } from '../../support/forwardKernels.js';

/** Address range of a module's data segments; undefined where it has none. */
async function dataRange(name: string): Promise<[number, number] | undefined> {
  const bytes = await readFile(new URL(`../../../dist/${name}`, import.meta.url));
  let at = 8;
  const unsigned = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  let range: [number, number] | undefined;
  while (at < bytes.length) {
    const section = bytes[at++];
    const size = unsigned();
    const end = at + size;
    if (section === 11) {
      for (let count = unsigned(); count > 0; count--) {
        // Active segment: 0, i32.const address, end, length.
        expect(bytes[at++]).toBe(0);
        expect(bytes[at++]).toBe(0x41);
        const start = unsigned();
        at++;
        const length = unsigned();
        range = [Math.min(range?.[0] ?? start, start), Math.max(range?.[1] ?? 0, start + length)];
        at += length;
      }
    }
    at = end;
  }
  return range;
}

describe('modules', () => {
  it('keep their constants apart in the first 64 KiB', async () => {
    const [, end] = (await dataRange('kernels.wasm'))!;
    expect(end).toBeLessThanOrEqual(32768);
    for (const name of ['forward.wasm', 'forward-fma.wasm']) {
      const [from, to] = (await dataRange(name)) ?? [32768, 32768];
      expect(from).toBeGreaterThanOrEqual(32768);
      expect(to).toBeLessThanOrEqual(65536);
    }
  });

  it('are both accepted by this engine, and the loader finds one', async () => {
    const setups = await wasmForward(0);
    expect(setups.map(({ name }) => name)).toEqual(['forward-fma.wasm', 'forward.wasm']);
    expect(await loadForwardModule(HOST.assets)).toBeInstanceOf(WebAssembly.Module);
    await expect(loadForwardModule(makeNodeHost('/nowhere').assets)).rejects.toThrow();
  });
});
