// Perplexities of calibrated methods: what they depend on, what is kept, and what is refused.
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { measureFormats } from '../../../src/jobs/perplexity/node/measureFormats.js';
import type { CalibrationSettings } from '../../../src/jobs/perplexity/measurement.js';
import { pruneCalibrated } from '../../../src/model/calibration/node/calibratedFolders.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import type { CallOptions } from '../../../src/rpc/rpc.js';
import { SAMPLE, temporaryFolder } from '../../support/checkpoints.js';
import { sharedPool } from '../../support/sharedPool.js';
import { perplexityOn } from '../../support/jobs.js';
import { calibratableModel, wordsOfModels } from '../../support/textModels.js';

const FEW: CalibrationSettings = { windows: 4, context: 16 };
const GPTQ = 'int4:g32+gptq';

interface Asked {
  readonly calibration?: CalibrationSettings;
  readonly cacheFolder?: string;
  readonly threads?: number;
  readonly context?: number;
  readonly windows?: number;
  readonly textFile?: string;
}

async function measure(
  path: string,
  formats: readonly string[],
  { calibration = FEW, threads = 1, context = 16, ...settings }: Asked = {},
  options?: CallOptions,
) {
  const pool = await sharedPool({ threads });
  const model = await openLocalModel(path);
  return perplexityOn(pool, model, { formats, context, calibration, ...settings }, options);
}

const oneLine = (pattern: string) => new RegExp(`^[^\\n]*${pattern}[^\\n]*$`);

describe('a calibrated method', () => {
  it('takes nothing that was kept for other activations, of methods before it either', async () => {
    const folder = await calibratableModel();
    const cacheFolder = await temporaryFolder();
    const [other, scheme] = ['int4', 'int8'].map((name) => `int3:g32+aqas+gptq/${name}-token`);
    const asked = { calibration: { windows: 8, context: 16 } };
    await measure(folder, [other], { ...asked, cacheFolder });
    const [beside, alone] = [
      await measure(folder, [scheme], { ...asked, cacheFolder }),
      await measure(folder, [scheme], asked),
    ].map(({ formats }) => formats[0].perplexity.value);
    expect(beside).toBe(alone);
  });

  it('comes closer to the model than rounding to nearest', async () => {
    const formats = ['int3:g64', 'int3:g64+gptq'];
    const { formats: measured } = await measure(SAMPLE, formats, {
      // Fewer rows than inputs would say too little of them.
      calibration: { windows: 16, context: 128 },
      context: 128,
      windows: 8,
      threads: 2,
    });
    const [nearest, gptq] = measured.map(({ perplexity }) => perplexity.klDivergence!);
    expect(gptq).toBeLessThan(0.9 * nearest);
    expect(measured[1].calibration).toMatchObject({ windows: 16, context: 128, tokens: 2048 });
    expect(measured[1].calibration?.text).toBe(join(SAMPLE, 'calibration.txt'));
  });

  it('comes to the same bits whatever the threads', async () => {
    const folder = await calibratableModel();
    const formats = [GPTQ, 'dint4:g32+aqas/int8-token', 'int4:g32+awq+gptq'];
    const [one, two] = [
      await measure(folder, formats, { threads: 1 }),
      await measure(folder, formats, { threads: 2 }),
    ];
    const numbers = ({ formats: all }: typeof one) =>
      all.map(({ perplexity, calibration }) => [perplexity, calibration?.findings]);
    expect(numbers(two)).toEqual(numbers(one));
  });

  it('is not measured for each tensor alone', async () => {
    const pool = await sharedPool({ threads: 1 });
    const model = await openLocalModel(await calibratableModel());
    const request = {
      formats: [GPTQ],
      tensors: ['model.layers.0.mlp.down_proj.weight'],
      scaleDtype: 'f16' as const,
      perLayer: true,
      settings: { context: 16, calibration: FEW },
    };
    await expect(measureFormats(pool, model, request)).rejects.toThrow(
      'int4-asym:g32+gptq: each tensor alone is measured for formats without methods and activations only',
    );
  });
});

/** Files of calibrated weights in a cache, with the times at which they were written. */
async function keptFiles(cache: string): Promise<Map<string, number>> {
  const root = join(cache, 'calibrated');
  const found = new Map<string, number>();
  for (const folder of await readdir(root).catch(() => [])) {
    for (const name of await readdir(join(root, folder))) {
      const path = join(root, folder, name);
      found.set(path, (await stat(path)).mtimeMs);
    }
  }
  return found;
}

describe('what a calibration keeps', () => {
  it('lets the next run go on where one was cancelled', async () => {
    const folder = await calibratableModel();
    const cacheFolder = await temporaryFolder();
    const abort = new AbortController();
    const onProgress = ({ message = '' }) => {
      if (message.includes('block 2')) abort.abort();
    };
    const options = { signal: abort.signal, onProgress };
    await expect(measure(folder, [GPTQ], { cacheFolder }, options)).rejects.toMatchObject({
      name: 'AbortError',
    });
    const first = await keptFiles(cacheFolder);
    const sites = ['attention', 'attentionOutput', 'down', 'feedForward'];
    expect([...first.keys()].map((path) => path.split('/').at(-1)!).sort()).toEqual(
      sites.map((site) => `block-0-${site}.safetensors`),
    );
    const whole = await measure(folder, [GPTQ]);
    const resumed = await measure(folder, [GPTQ], { cacheFolder });
    expect(resumed.formats[0].perplexity).toEqual(whole.formats[0].perplexity);
    expect(resumed.formats[0].calibration?.findings).toEqual(
      whole.formats[0].calibration?.findings,
    );
    const second = await keptFiles(cacheFolder);
    expect(second.size).toBe(8);
    for (const [path, written] of first) expect(second.get(path)).toBe(written);

    // A damaged part is made again, and nothing else.
    const [damaged] = [...second.keys()].filter((path) => path.includes('block-1-down'));
    const bytes = await readFile(damaged);
    await truncate(damaged, bytes.length - 3);
    const again = await measure(folder, [GPTQ], { cacheFolder });
    expect(again.formats[0].perplexity).toEqual(whole.formats[0].perplexity);
    expect((await readFile(damaged)).equals(bytes)).toBe(true);
    for (const [path, written] of await keptFiles(cacheFolder)) {
      if (path !== damaged) expect(second.get(path)).toBe(written);
    }
  });

  it('says how inputs are rounded, where a method has chosen that', async () => {
    const folder = await calibratableModel();
    const cacheFolder = await temporaryFolder();
    const formats = ['fp4-shifted', 'fp4-static', 'fp8-shifted'].map(
      (name) => `fp4-e2m1:row+llm-fp4:rows=32/${name}`,
    );
    const numbers = ({ formats: all }: Awaited<ReturnType<typeof measure>>) =>
      all.map(({ perplexity, calibration }) => [perplexity, calibration?.findings]);
    const first = await measure(folder, formats, { cacheFolder });
    const kept = await keptFiles(cacheFolder);
    expect(kept.size).toBe(3 * 8);
    await rm(join(cacheFolder, 'perplexity'), { recursive: true, force: true });
    const again = await measure(folder, formats, { cacheFolder, threads: 2 });
    expect(await keptFiles(cacheFolder)).toEqual(kept);
    expect(numbers(again)).toEqual(numbers(first));
    const values = first.formats.map(({ perplexity }) => perplexity.value);
    expect(new Set(values).size).toBe(3);
  });

  it('is nothing without a cache, not even where the measurement fails', async () => {
    const folder = await calibratableModel();
    const temporary = await temporaryFolder();
    vi.stubEnv('TMPDIR', temporary);
    onTestFinished(() => void vi.unstubAllEnvs());
    await measure(folder, [GPTQ]);
    expect(await readdir(temporary)).toEqual([]);
    const abort = new AbortController();
    let seen = 0;
    const onProgress = ({ message = '' }) => {
      if (!message.includes('block 2')) return;
      seen = readdirSync(temporary).length;
      abort.abort();
    };
    await expect(
      measure(folder, [GPTQ], {}, { signal: abort.signal, onProgress }),
    ).rejects.toMatchObject({ name: 'AbortError' });
    expect(seen).toBe(1);
    expect(await readdir(temporary)).toEqual([]);
  });
});

describe('a calibration text', () => {
  it('is not the one that is scored', async () => {
    const folder = await calibratableModel();
    const scored = join(folder, 'eval.txt');
    await expect(
      measure(folder, [GPTQ], { calibration: { ...FEW, textFile: scored } }),
    ).rejects.toThrow(
      oneLine('eval.txt: this text is scored, so it cannot be calibrated on as well'),
    );
    // Nor a copy of it.
    const copy = join(folder, 'copy.txt');
    await writeFile(copy, await readFile(scored));
    await expect(
      measure(folder, [GPTQ], { calibration: { ...FEW, textFile: copy } }),
    ).rejects.toThrow(
      oneLine(
        'copy.txt: this calibration text is, for the greater part, in the text that is scored',
      ),
    );
  });

  it('that has most of it is refused, however little that is of the calibration text', async () => {
    const folder = await calibratableModel();
    const words = wordsOfModels(400, 5);
    await writeFile(join(folder, 'eval.txt'), words.slice(64, 128).join(' '));
    const asked = { calibration: { windows: 8, context: 48 }, context: 48, windows: 1 };
    await expect(measure(folder, [GPTQ], asked)).rejects.toThrow(
      oneLine('the text that is scored is, for the greater part, in this calibration text'),
    );
  });

  it('that shares a part with it is said to', async () => {
    const folder = await calibratableModel();
    const words = wordsOfModels(256, 3);
    const textFile = join(folder, 'shared.txt');
    await writeFile(textFile, [...wordsOfModels(224, 9), ...words.slice(0, 32)].join(' '));
    await writeFile(join(folder, 'eval.txt'), words.join(' '));
    const { notes } = await measure(folder, [GPTQ], {
      calibration: { windows: 8, context: 32, textFile },
      context: 32,
    });
    expect(notes.join('\n')).toMatch(/% of the calibration text is in the text that is scored/);
  });

  it('with too few windows is used, and said to have too few', async () => {
    const folder = await calibratableModel();
    const { notes, formats } = await measure(folder, [GPTQ], {
      calibration: { windows: 50, context: 16 },
    });
    expect(formats[0].calibration?.windows).toBe(25);
    expect(notes).toContain(
      `${join(folder, 'calibration.txt')} has 25 windows of 16 tokens for calibration where 50 were wanted.`,
    );
  });

  it('with fewer tokens than a layer has inputs is said to serve itself', async () => {
    const folder = await calibratableModel();
    const { formats } = await measure(folder, [GPTQ], { calibration: { windows: 1, context: 16 } });
    expect(formats[0].notes.join('\n')).toMatch(
      /Only 16 tokens of calibration text for \d+ inputs/,
    );
  });

  it('gives other windows by another seed, and the same ones by the same', async () => {
    const folder = await calibratableModel();
    const losses = async (seed?: number) => {
      const { formats } = await measure(folder, [GPTQ], { calibration: { ...FEW, seed } });
      expect(formats[0].calibration?.windows).toBe(4);
      return JSON.stringify(formats[0].calibration?.findings);
    };
    const found = [await losses(), await losses(0), await losses(1)];
    expect(new Set(found).size).toBe(3);
    expect(await losses(1)).toBe(found[2]);
  });

  it.each([
    ['', 'short.txt: '],
    ['t1 t2 t3', 'short.txt: '],
  ])('of "%s" is too short, and named', async (text, message) => {
    const folder = await calibratableModel();
    const textFile = join(folder, 'short.txt');
    await writeFile(textFile, text);
    await expect(measure(folder, [GPTQ], { calibration: { ...FEW, textFile } })).rejects.toThrow(
      oneLine(message),
    );
  });
});

describe('folders of calibrated weights', () => {
  it('go when they are old or too many, but not those in use, nor others', async () => {
    const root = await temporaryFolder();
    const name = (digit: number) => `${String(digit).repeat(32)}-quantize`;
    const now = Date.now() / 1000;
    const make = async (folder: string, days: number) => {
      await mkdir(join(root, folder));
      await writeFile(join(root, folder, 'block-0-down.safetensors'), Buffer.alloc(100));
      await utimes(join(root, folder), now - days * 86_400, now - days * 86_400);
    };
    await make(name(1), 40);
    await make(name(2), 40);
    for (const digit of [3, 4, 5]) await make(name(digit), 10 - digit);
    await make('mine', 40);
    await writeFile(join(root, 'notes.txt'), 'x');
    await pruneCalibrated(root, new Set([name(1)]), 1000);
    const left = [name(1), name(3), name(4), name(5), 'mine', 'notes.txt'];
    expect((await readdir(root)).sort()).toEqual([...left].sort());
    // The least recently used go first.
    await pruneCalibrated(root, new Set([name(1)]), 300);
    expect(existsSync(join(root, name(3)))).toBe(false);
    expect((await readdir(root)).sort()).toEqual(
      left.filter((folder) => folder !== name(3)).sort(),
    );
    await pruneCalibrated(join(root, 'nothing'), new Set());
  });
});
