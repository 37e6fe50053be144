import { once } from 'node:events';
import { open, readdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { version } from '../../../package.json';
import { FORMAT_CATALOGUE } from '../../../src/formats/index.js';
import type { ComparisonReport } from '../../../src/reports/reports.js';
import { run, start } from '../../support/commandLine.js';
import { rawFile, floatsOf, readRawSafetensors } from '../../support/rawSafetensors.js';
import type { RawTensor } from '../../support/rawSafetensors.js';
import { bytesFile, folderOf, temporaryFolder } from '../../support/safetensorsFiles.js';

const SAMPLE = join(import.meta.dirname, '../../../media/sample/model.safetensors');
const UNTOKENIZED = join(import.meta.dirname, '../../fixtures/own-models/llama-biases');
const V_PROJ = 'model.layers.3.self_attn.v_proj.weight';
const TIMEOUT = 60_000;

describe('a configuration that cannot be read', () => {
  test('is said with every number that it may change', async () => {
    const folder = await folderOf({
      'model.safetensors': await readFile(SAMPLE),
      'config.json': '{"model_type": "gp',
    });
    const said = /config\.json: .*JSON/;
    expect((await run('inspect', folder)).stderr).toMatch(said);
    const { problems } = JSON.parse((await run('inspect', folder, '--json')).stdout);
    expect(problems).toEqual([{ file: 'config.json', message: expect.stringMatching(said) }]);
    const one = ['--format', 'int4', '--tensor', V_PROJ];
    expect((await run('compare', folder, ...one)).stdout).toMatch(said);
    const out = join(folder, 'out.safetensors');
    expect((await run('quantize', folder, ...one, '--out', out)).stdout).toMatch(said);
  });
});

describe('compare --html', () => {
  test('writes a file with the report, and never over a file of the model', async () => {
    const folder = await folderOf({ 'model.safetensors': await readFile(SAMPLE) });
    const compare = (file: string) =>
      run('compare', folder, '--format', 'int4', '--tensor', V_PROJ, '--json', '--html', file);
    const out = join(folder, 'report.html');
    const { code, stdout } = await compare(out);
    expect(code).toBe(0);
    const html = await readFile(out, 'utf8');
    const [, data] = /id="comparison-data">(.*?)<\/script>/s.exec(html)!;
    expect(JSON.parse(data).report).toEqual(JSON.parse(stdout));
    const refused = await compare(join(folder, 'model.safetensors'));
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('model.safetensors');
    const kept = await readFile(join(folder, 'model.safetensors'));
    expect(kept.equals(await readFile(SAMPLE))).toBe(true);
    expect(await readdir(folder)).toEqual(['model.safetensors', 'report.html']);
  });
});

function widened({ dtype, bytes }: RawTensor): Float32Array {
  if (dtype === 'F32') return floatsOf({ dtype, bytes, shape: [] });
  expect(dtype).toBe('BF16');
  const bits = Uint32Array.from(new Uint16Array(bytes.buffer), (half) => half << 16);
  return new Float32Array(bits.buffer);
}

function meanSquaredError(one: Float32Array, other: Float32Array): number {
  return one.reduce((sum, value, index) => sum + (value - other[index]) ** 2, 0) / one.length;
}

/** INT4 with a zero point in f32, one group, written anew from its definition. */
function int4(group: Float32Array): Float32Array {
  const f = Math.fround;
  const even = (x: number) => {
    const floor = Math.floor(x);
    const half = x - floor;
    return half > 0.5 || (half === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
  };
  const low = Math.min(0, ...group);
  const high = Math.max(0, ...group);
  const scale = f(f(high - low) / 15);
  const zero = even(f(-low / scale));
  return group.map(
    (weight) => scale * (Math.min(15, Math.max(0, even(f(weight / scale)) + zero)) - zero),
  );
}

describe('compare', () => {
  test(
    'prints one JSON document, whose error an independent computation confirms',
    async () => {
      const { code, stdout, stderr } = await run(
        ...['compare', SAMPLE, '--format', 'int4,nf4', '--tensor', V_PROJ],
        ...['--scale-dtype', 'f32', '--json'],
      );
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const report = JSON.parse(stdout) as ComparisonReport;
      expect(report.formats.map(({ id }) => id)).toEqual(['int4-asym:g128', 'nf4:g128']);
      const [{ tensors }] = report.formats;
      expect(tensors.map(({ name }) => name)).toEqual([V_PROJ]);

      const weights = widened(readRawSafetensors(SAMPLE).get(V_PROJ)!);
      const rounded = new Float32Array(weights.length);
      for (let begin = 0; begin < weights.length; begin += 128) {
        rounded.set(int4(weights.subarray(begin, begin + 128)), begin);
      }
      const mse = meanSquaredError(weights, rounded);
      expect(tensors[0].mse / mse).toBeCloseTo(1, 9);
    },
    TIMEOUT,
  );

  test(
    'gives the same errors with either backend and any number of threads',
    async () => {
      const args = ['compare', SAMPLE, '--format', 'afp4,dint4,int3:row', '--json'];
      const selected = ['--tensor', '*layers.0.self_attn.*'];
      const results = await Promise.all([
        run(...args, ...selected, '--threads', '1'),
        run(...args, ...selected, '--threads', '3', '--backend', 'reference'),
      ]);
      const [one, other] = results.map(({ stdout }) => JSON.parse(stdout) as ComparisonReport);
      expect(one.timings).toMatchObject({ backend: 'wasm', threads: 1 });
      const most = Math.min(3, availableParallelism());
      expect(other.timings).toMatchObject({ backend: 'reference', threads: most });
      expect(other.formats).toEqual(one.formats);
    },
    TIMEOUT,
  );

  test('uses no more threads than the machine runs at once, and says so', async () => {
    const args = ['compare', SAMPLE, '--format', 'int4', '--tensor', V_PROJ, '--json'];
    const { code, stdout, stderr } = await run(...args, '--threads', '100000', '--quiet');
    expect(code).toBe(0);
    const machine = availableParallelism();
    expect((JSON.parse(stdout) as ComparisonReport).timings.threads).toBe(machine);
    expect(stderr).toBe(
      `quantscope: warning: --threads 100000: this machine runs ${machine} at once, and no more are used\n`,
    );
  });

  test(
    'takes the linear weights of a folder by default, and prints a row a format',
    async () => {
      const folder = join(SAMPLE, '..');
      const { code, stdout } = await run('compare', folder, '--format', 'int4,afp4', '--quiet');
      expect(code).toBe(0);
      expect(stdout).toContain('28 tensors, 3,145,728 of 3,672,320 weights, BF16; scales in F16');
      expect(stdout).toMatch(/^int4-asym:g128 +4\.156 +\d+\.\d\d /m);
      expect(stdout).toMatch(/^afp4-e2m1:g128 +4\.250 +\d+\.\d\d /m);
    },
    TIMEOUT,
  );

  test(
    'prints CSV with a line for each format and tensor',
    async () => {
      const { code, stdout } = await run(
        ...['compare', SAMPLE, '--format', 'int4,nf4', '--tensor', '*layers.1*_proj*', '--csv'],
      );
      expect(code).toBe(0);
      const lines = stdout.trimEnd().split(/\r?\n/);
      expect(lines[0]).toMatch(/^format,tensor,/);
      // Seven projections and their sum, in two formats.
      expect(lines).toHaveLength(1 + 2 * 8);
      expect(new Set(lines.map((line) => line.split(',').length)).size).toBe(1);
    },
    TIMEOUT,
  );
});

describe('quantize', () => {
  test(
    'writes weights whose error is the one it reports, and leaves the others alone',
    async () => {
      const out = join(await temporaryFolder(), 'afp4.safetensors');
      const { code, stdout, stderr } = await run(
        ...['quantize', SAMPLE, '--format', 'afp4:g64', '--out', out, '--json'],
      );
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const report = JSON.parse(stdout) as ComparisonReport & { outputs: string[] };
      expect(report.outputs).toEqual([out]);
      expect(report.formats).toHaveLength(1);

      const [before, after] = [readRawSafetensors(SAMPLE), readRawSafetensors(out)];
      expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
      const errors = new Map(report.formats[0].tensors.map(({ name, mse }) => [name, mse]));
      expect(errors.size).toBe(28);
      for (const [name, original] of before) {
        const written = after.get(name)!;
        const mse = errors.get(name);
        if (mse === undefined) {
          const { dtype, shape, bytes } = written;
          expect({ dtype, shape }).toEqual({ dtype: original.dtype, shape: original.shape });
          expect(Buffer.compare(bytes, original.bytes)).toBe(0);
        } else {
          expect(written).toMatchObject({ dtype: 'F32', shape: original.shape });
          expect(meanSquaredError(widened(original), widened(written)) / mse).toBeCloseTo(1, 9);
        }
      }
    },
    TIMEOUT,
  );

  test('refuses to write over its input', async () => {
    const { code, stdout, stderr } = await run(
      ...['quantize', SAMPLE, '--format', 'int4', '--out', SAMPLE],
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^quantscope: [^\n]*model\.safetensors[^\n]*\n$/);
  });

  test(
    'leaves nothing half-written when interrupted',
    async () => {
      const folder = await temporaryFolder();
      const input = join(folder, 'input.safetensors');
      const rows = 32 * 1024;
      const bytes = rows * 1024 * 2;
      const header = `{"a.weight":{"dtype":"BF16","shape":[${rows},1024],"data_offsets":[0,${bytes}]}}`;
      await writeFile(input, rawFile(header));
      const file = await open(input, 'r+');
      await file.truncate(8 + header.length + bytes);
      await file.close();

      const out = join(folder, 'output.safetensors');
      // The reference backend is slow enough to be caught at work.
      const child = start(
        ['quantize', input, '--format', 'anf4', '--out', out, '--json'].concat([
          '--backend',
          'reference',
        ]),
      );
      let stdout = '';
      child.stdout.on('data', (text) => (stdout += text));
      const closed = once(child, 'close');
      await expect.poll(() => readdir(folder), { timeout: TIMEOUT }).toHaveLength(2);
      child.kill('SIGINT');
      const [code] = await closed;
      expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
      expect(await readdir(folder)).toEqual(['input.safetensors']);
    },
    TIMEOUT,
  );
});

describe('inspect', () => {
  test(
    'prints the documented JSON, with statistics and groups on request',
    async () => {
      const { code, stdout, stderr } = await run(
        ...['inspect', SAMPLE, '--tensor', '*layers.3*', '--group-size', '64', '--json'],
      );
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const { tensors, metadata } = JSON.parse(stdout);
      expect(metadata).toEqual({ format: 'pt' });
      expect(tensors).toHaveLength(9);
      const tensor = tensors.find(({ name }: { name: string }) => name === V_PROJ);
      expect(tensor).toMatchObject({
        ...{ dtype: 'BF16', shape: [128, 256], bytes: 65536, elements: 32768 },
        ...{ layer: 'layers.3', nameInLayer: 'self_attn.v_proj.weight', transposed: false },
        ...{ role: 'other', quantizedByDefault: true },
      });
      expect(tensor).not.toHaveProperty('source');
      const norm = tensors.find(({ name }: { name: string }) => /input_layernorm/.test(name));
      expect(norm).toMatchObject({
        quantizedByDefault: false,
        notByDefault: 'one-dimensional',
        notQuantizable: 'one-dimensional',
      });
      const weights = widened(readRawSafetensors(SAMPLE).get(V_PROJ)!);
      expect(tensor.stats).toMatchObject({
        min: Math.min(...weights),
        max: Math.max(...weights),
        nan: 0,
        inf: 0,
        groups: { count: 512, size: 64 },
      });
      const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
      expect(tensor.stats.mean).toBeCloseTo(mean, 12);
    },
    TIMEOUT,
  );

  test('without statistics reads headers only, and groups by layer', async () => {
    const { code, stdout } = await run('inspect', SAMPLE);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^layers\.0 +9 tensors +1\.50 MB$/m);
    expect(stdout).toMatch(/^ {2}mlp\.down_proj\.weight +BF16 +256 × 768 +384 KB$/m);
  });

  test('ends quietly when its reader has seen enough', async () => {
    const path = join(await temporaryFolder(), 'many.safetensors');
    const entry = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}';
    const members = Array.from({ length: 20_000 }, (_, index) => `"tensor.${index}":${entry}`);
    await writeFile(path, rawFile(`{${members.join(',')}}`));
    const child = start(['inspect', path, '--json']);
    let stderr = '';
    child.stderr.on('data', (text) => (stderr += text));
    child.stdout.once('data', () => child.stdout.destroy());
    const [code] = await once(child, 'close');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
});

describe('bad input', () => {
  test.each([
    ['a file that is not there', '/nonexistent/x.safetensors', /FileNotFound/],
    ['a file that is none', join(SAMPLE, '../config.json'), /config\.json/],
  ])('%s: exit code 1 and one line', async (_, path, message) => {
    const { code, stdout, stderr } = await run('inspect', path, '--json');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^quantscope: [^\n]+\n$/);
    expect(stderr).toMatch(message);
  });

  test('a tensor that is not there: exit code 1 and one line', async () => {
    const { code, stderr } = await run(
      ...['compare', SAMPLE, '--format', 'int4', '--tensor', 'nothing.*'],
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/^quantscope: [^\n]*nothing\.\*[^\n]*\n$/);
  });

  test.each([
    ['perplexity', SAMPLE, ['--context', '50000'], /or a shorter context is needed \(--context\)$/],
    ['perplexity', UNTOKENIZED, [], /tokenizer\.json: .*; .* can be scored \(--token-ids\)$/],
    ['compare', '', ['--format', 'int4'], /choose tensors by name \(--tensor\)$/],
  ])('%s %s %s: the line names the option that helps', async (command, path, options, message) => {
    const empty = await folderOf({ 'model.safetensors': bytesFile({ a: 4 }) });
    const { code, stderr } = await run(command, path || empty, ...options);
    expect(code).toBe(1);
    expect(stderr.trimEnd()).toMatch(message);
  });

  test.each([
    { what: 'no format', args: ['compare', SAMPLE] },
    { what: 'an unknown format', args: ['compare', SAMPLE, '--format', 'int99'] },
    { what: 'windows without a target', args: ['perplexity', SAMPLE, '--context', '1'] },
    { what: 'an unknown command', args: ['no-such-command'] },
    { what: 'no command', args: [] },
  ])('wrong usage, $what: exit code 2 and one line', async ({ args }) => {
    const { code, stdout, stderr } = await run(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^quantscope: [^\n]+\n$/);
  });
});

test('formats lists the whole catalogue, as a table and as JSON', async () => {
  const [text, json] = await Promise.all([run('formats'), run('formats', '--json')]);
  const { formats } = JSON.parse(json.stdout) as {
    formats: { name: string; bitsPerWeight: number }[];
  };
  const names = FORMAT_CATALOGUE.map(({ name }) => name).sort();
  expect(formats.map(({ name }) => name).sort()).toEqual(names);
  expect(formats.find(({ name }) => name === 'afp4-e2m1')?.bitsPerWeight).toBe(4.25);
  const rows = text.stdout.split('\n\n')[0].split('\n').slice(1);
  expect(rows.map((row) => row.split(' ')[0]).sort()).toEqual(names);
});

test('help and version go to standard output', async () => {
  const [help, versionText] = await Promise.all([run('compare', '--help'), run('--version')]);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toContain('--scale-dtype');
  expect(versionText).toEqual({ code: 0, stderr: '', stdout: `${version}\n` });
});
