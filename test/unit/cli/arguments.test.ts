import { describe, expect, test } from 'vitest';
import { parseCommandLine } from '../../../src/cli/arguments.js';
import { UsageError } from '../../../src/cli/usageError.js';

function parse(text: string) {
  return parseCommandLine(text.split(' ').filter((word) => word !== ''));
}

function usageError(text: string): UsageError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error(`"${text}" was accepted`);
}

describe('compare', () => {
  test('takes formats repeated and separated by commas, canonical and each once', () => {
    expect(parse('compare m.safetensors --format int4,afp4:g64 --format int4-asym:g128')).toEqual({
      command: 'compare',
      path: 'm.safetensors',
      formats: ['int4-asym:g128', 'afp4-e2m1:g64'],
      tensorGlobs: undefined,
      scaleDtype: 'f16',
      json: false,
      csv: false,
      quiet: false,
      threads: undefined,
      backend: 'auto',
      calibration: { imatrixFile: undefined },
    });
  });

  test('takes names with methods and activations, and what methods see', () => {
    const options =
      '--calibration c.txt --calibration-windows 4 --calibration-context 64 --calibration-seed 1';
    expect(parse(`compare m --format int4+gptq,DINT4+AQAS/int8-token ${options}`)).toMatchObject({
      formats: ['int4-asym:g128+gptq', 'dint4:g128+aqas/int8-token'],
      perplexity: undefined,
      calibration: { textFile: 'c.txt', windows: 4, context: 64, seed: 1 },
    });
  });

  test('takes the formats of a preset, and others behind them', () => {
    const line = parse('perplexity m --preset dint-w4a8 --format int4/int8-token,nf4');
    expect(line).toMatchObject({
      formats: [
        'int4-asym:g128/int8-token',
        'int4-asym:g128+aqas/int8-token',
        'dint4:g128/int8-token',
        'dint4:g128+aqas/int8-token',
        'nf4:g128',
      ],
      presetNote: expect.stringContaining('reconstructed') as string,
    });
    expect(parse('compare m --preset slac')).toMatchObject({
      formats: expect.arrayContaining(['dint4:g128+aqas:context=64/int8-token']) as string[],
    });
    expect(() => parse('perplexity m --preset nothing')).toThrow(
      '--preset "nothing" is not one of 4-bit, 3-bit, afpq-3bit, dint-w4a8, slac',
    );
  });

  test('takes options before and after PATH, in both spellings', () => {
    expect(
      parse('compare --threads=3 --format nf4 m --tensor *.q_proj.* --tensor *.k* --csv -q'),
    ).toMatchObject({
      path: 'm',
      threads: 3,
      tensorGlobs: ['*.q_proj.*', '*.k*'],
      csv: true,
      quiet: true,
    });
  });

  test.each([
    ['compare --format int4', 'PATH is missing'],
    ['compare a b --format int4', 'one PATH is wanted, 2 are given: a b'],
    ['compare m', '--format is missing: at least one is needed'],
    ['compare m --format ,', '--format is missing: at least one is needed'],
    ['compare m --format int4 --threads 0', '--threads "0" is not a whole number from 1'],
    ['compare m --format int4 --threads 1.5', '--threads "1.5" is not a whole number from 1'],
    [
      'compare m --format int4 --backend gpu',
      '--backend "gpu" is not one of auto, wasm, webgpu, reference',
    ],
    ['compare m --format int4 --scale-dtype f8', '--scale-dtype "f8" is not one of f16, bf16, f32'],
    ['compare m --format int4 --json --csv', '--json and --csv exclude each other'],
    ['compare m --format int4 --unknown', "Unknown option '--unknown'"],
    ['compare m --format', "Option '--format <value>' argument missing"],
  ])('refuses "%s"', (text, message) => {
    const error = usageError(text);
    expect(error.message).toBe(message);
    expect(error.command).toBe('compare');
  });

  test('says which commands take methods and formats of activations', () => {
    for (const name of ['int4+gptq', 'int4/int8-token', 'dint4+aqas/int8-token']) {
      expect(() => parse(`quantize m --out x --format ${name}`)).toThrow(
        '--format: methods and formats of activations are for compare and perplexity',
      );
    }
    expect(() => parse('compare m --per-layer --format int4,int4+gptq')).toThrow(
      '--per-layer is about formats without methods and activations; int4-asym:g128+gptq has one',
    );
  });

  test('names a format that is not in the catalogue', () => {
    expect(usageError('compare m --format int4,fp99').message).toContain('"fp99"');
  });

  test.each([
    ['--text a', { textFile: 'a' }],
    ['--context 8', { context: 8 }],
    ['--windows 2', { windows: 2 }],
    ['--per-document x', { perDocument: 'x' }],
    ['--per-document=--', { perDocument: '--' }],
    ['--token-ids a', { tokenIdsFile: 'a' }],
    ['--save-logits a', { logitsFile: 'a' }],
    ['--bos-every-window', { bosEveryWindow: true }],
    ['--no-bos-every-window', { bosEveryWindow: false }],
    ['--memory-budget 64', { memoryBudgetBytes: 64 * 2 ** 20 }],
    ['--no-cache', { cache: false }],
    ['--per-layer', { perLayer: true, cache: true }],
  ])('has the model run when there is %s', (option, perplexity) => {
    expect(parse(`compare m --format int4 ${option}`)).toMatchObject({ perplexity });
  });

  test('cannot save the logits of many models', () => {
    expect(usageError('compare m --format int4 --per-layer --save-logits x').message).toBe(
      '--save-logits and --per-layer exclude each other',
    );
    expect(usageError('compare m --format int4,nf4 --save-logits x').message).toBe(
      '--save-logits takes one --format at most, 2 are given',
    );
  });

  test('writes HTML to a file, beside what it prints', () => {
    expect(parse('compare m --format int4 --html x.html --json')).toMatchObject({
      html: 'x.html',
      json: true,
    });
    expect(usageError('compare m --format int4 --html=').message).toBe('--html names no file');
  });

  test.each(['auto', 'wasm', 'webgpu', 'reference'])('takes the backend %s', (backend) => {
    expect(parse(`compare m --format int4 --backend ${backend}`)).toMatchObject({ backend });
  });
});

describe('perplexity', () => {
  test('needs no format', () => {
    expect(parse('perplexity m')).toEqual({
      command: 'perplexity',
      path: 'm',
      formats: [],
      tensorGlobs: undefined,
      scaleDtype: 'f16',
      json: false,
      quiet: false,
      threads: undefined,
      backend: 'auto',
      perplexity: { cache: true },
      calibration: {},
    });
  });

  test('takes schemes, and what methods are calibrated on', () => {
    expect(
      parse(
        'perplexity m --format int4+gptq:act-order,dint4+aqas/int8-token --calibration c.txt ' +
          '--calibration-windows 8 --calibration-context 128 --calibration-seed 0',
      ),
    ).toMatchObject({
      formats: ['int4-asym:g128+gptq:act-order', 'dint4:g128+aqas/int8-token'],
      calibration: { textFile: 'c.txt', windows: 8, context: 128, seed: 0 },
    });
  });

  test('takes formats, tensors and how to measure', () => {
    expect(
      parse(
        'perplexity m --format int4,nf4 --tensor *q* --text t --per-document <|e|> --context 512 ' +
          '--windows 8 --memory-budget 100 --no-cache --json --scale-dtype f32',
      ),
    ).toMatchObject({
      formats: ['int4-asym:g128', 'nf4:g128'],
      tensorGlobs: ['*q*'],
      scaleDtype: 'f32',
      json: true,
      perplexity: {
        textFile: 't',
        perDocument: '<|e|>',
        context: 512,
        windows: 8,
        memoryBudgetBytes: 100 * 2 ** 20,
        cache: false,
      },
    });
  });

  test.each([
    ['perplexity', 'PATH is missing'],
    ['perplexity m --context 0', '--context "0" is not a whole number from 2'],
    ['perplexity m --context 1', '--context "1" is not a whole number from 2'],
    ['perplexity m --context=-5', '--context "-5" is not a whole number from 2'],
    ['perplexity m --context 2.5', '--context "2.5" is not a whole number from 2'],
    ['perplexity m --context 1e3', '--context "1e3" is not a whole number from 2'],
    ['perplexity m --windows 0', '--windows "0" is not a whole number from 1'],
    ['perplexity m --memory-budget 0', '--memory-budget "0" is not a whole number from 1'],
    ['perplexity m --text=', '--text is empty'],
    ['perplexity m --per-document=', '--per-document is empty'],
    ['perplexity m --token-ids a --text b', '--token-ids and --text exclude each other'],
    [
      'perplexity m --token-ids a --per-document b',
      '--token-ids and --per-document exclude each other',
    ],
    [
      'perplexity m --format int4,nf4 --save-logits x',
      '--save-logits takes one --format at most, 2 are given',
    ],
    ['perplexity m --tensor a', '--tensor chooses what a --format is applied to; none is given'],
    ['perplexity m --calibration=', '--calibration is empty'],
    [
      'perplexity m --calibration-windows 0',
      '--calibration-windows "0" is not a whole number from 1',
    ],
    [
      'perplexity m --calibration-context 1',
      '--calibration-context "1" is not a whole number from 2',
    ],
    ['perplexity m --calibration-seed=-1', '--calibration-seed "-1" is not a whole number from 0'],
    [
      'perplexity m --format int4+gptq+hqq',
      'Format "int4+gptq+hqq": gptq and hqq both choose the codes',
    ],
    ['perplexity m --per-layer', "Unknown option '--per-layer'"],
    ['perplexity m --csv', "Unknown option '--csv'"],
  ])('refuses "%s"', (text, message) => {
    const error = usageError(text);
    expect(error.message).toBe(message);
    expect(error.command).toBe('perplexity');
  });
});

describe('inspect', () => {
  test('reads no weights unless asked', () => {
    expect(parse('inspect m')).toMatchObject({ stats: false, groupSize: 128 });
  });

  test.each([
    ['inspect m --group-size 64', 64],
    ['inspect m --group-size row', 0],
  ])('"%s" implies statistics', (text, groupSize) => {
    expect(parse(text)).toMatchObject({ stats: true, groupSize });
  });

  test.each(['0', '-1', 'rows', '1e3'])('refuses the group size "%s"', (size) => {
    expect(usageError(`inspect m --group-size=${size}`).command).toBe('inspect');
  });
});

describe('quantize', () => {
  test('takes one format and where to write', () => {
    expect(parse('quantize m --format afp4 --out o.safetensors --scale-dtype bf16')).toMatchObject({
      command: 'quantize',
      format: 'afp4-e2m1:g128',
      out: 'o.safetensors',
      scaleDtype: 'bf16',
    });
  });

  test.each([
    ['quantize m --format int4', '--out FILE|DIR is missing'],
    ['quantize m --format int4,nf4 --out o', 'one --format is wanted, 2 are given'],
    [
      'quantize m --format int4 --out o --as gguf',
      '--as "gguf" is not available in this version; there is dequantized-f32',
    ],
  ])('refuses "%s"', (text, message) => {
    expect(usageError(text).message).toBe(message);
  });
});

describe('the rest', () => {
  test('help and version', () => {
    expect(parse('--help')).toEqual({ command: 'help' });
    expect(parse('help compare')).toEqual({ command: 'help', topic: 'compare' });
    expect(parse('compare --help')).toEqual({ command: 'help', topic: 'compare' });
    expect(parse('--version')).toEqual({ command: 'version' });
  });

  test('formats takes no PATH', () => {
    expect(parse('formats --json')).toEqual({ command: 'formats', json: true });
    expect(usageError('formats m').message).toBe('formats takes no PATH, but "m" is given');
  });

  test('a missing or unknown command is wrong usage', () => {
    expect(usageError('').message).toContain('a command is missing');
    expect(usageError('convert m').message).toContain('"convert" is not a command');
  });
});

describe('recommend', () => {
  test('takes a budget, formats, ties, pins and files to write', () => {
    const line = parse(
      'recommend m --bits 3.5 --format int3,NF4 --tie qkv --tie gate-up --pin *=a=int8 --recipe r.json --export mlx-lm=m.py --sensitivity-windows 4 --seed 3',
    );
    expect(line).toMatchObject({
      command: 'recommend',
      path: 'm',
      formats: ['int3-asym:g128', 'nf4:g128'],
      budget: { kind: 'bits', bitsPerWeight: 3.5 },
      ties: ['qkv', 'gate-up'],
      pins: [{ glob: '*=a', format: 'int8-asym:g128' }],
      recipe: 'r.json',
      exports: [{ exporter: { name: 'mlx-lm' }, file: 'm.py' }],
      sensitivity: { windows: 4, seed: 3 },
      scaleDtype: 'f16',
    });
  });

  test.each([
    ['--size 7.5GB', { kind: 'bytes', bytes: 7.5 * 1024 ** 3 }],
    ['--size 900kib', { kind: 'bytes', bytes: 900 * 1024 }],
    ['--bytes 12345', { kind: 'bytes', bytes: 12345 }],
    ['--max-delta 0.5', { kind: 'perplexity', delta: 0.5 }],
    ['--max-kl .01', { kind: 'divergence', klDivergence: 0.01 }],
  ])('takes the budget %s', (option, budget) => {
    expect(parse(`recommend m --format int4 ${option}`)).toMatchObject({ budget });
  });

  const BUDGET = 'a budget is wanted, one of --bits, --size, --bytes, --max-delta and --max-kl';
  test.each([
    ['--format int4', `${BUDGET}; none is given`],
    ['--format int4 --bits 3 --max-kl 1', `${BUDGET}; --bits and --max-kl are given`],
    ['--bits 3', '--format is missing: at least one is needed'],
    ['--format int4 --bits 0', '--bits "0" is not a number above 0'],
    ['--format int4 --bits 1e3', '--bits "1e3" is not a number above 0'],
    ['--format int4 --size 8', '--size "8" is not a number with KB, MB, GB or TB'],
    ['--format int4 --size GB', '--size "" is not a number above 0'],
    ['--format int4 --bits 3 --tie all', '--tie "all" is not one of qkv, gate-up'],
    ['--format int4 --bits 3 --pin int4', '--pin "int4" is not GLOB=FORMAT'],
    [
      '--format int4 --bits 3 --export gguf=x',
      '--export "gguf=x" is not PROGRAM=FILE with one of llama-quantize, gptqmodel, compressed-tensors, mlx-lm',
    ],
    ['--format int4 --bits 3 --save-logits x', '--save-logits is not an option of recommend'],
    [
      '--format int4+gptq --bits 3',
      '--format: methods and formats of activations are for compare and perplexity',
    ],
  ])('refuses %s', (options, message) => {
    const error = usageError(`recommend m ${options}`);
    expect(error.message).toBe(message);
    expect(error.command).toBe('recommend');
  });
});

describe('recipes', () => {
  test('stand in the place of formats', () => {
    expect(parse('quantize m --recipe r.json --out o')).toMatchObject({
      format: undefined,
      recipe: 'r.json',
      scaleDtype: undefined,
    });
    expect(parse('compare m --recipe r.json --recipe s.json')).toMatchObject({
      formats: [],
      recipes: ['r.json', 's.json'],
    });
    expect(parse('perplexity m --recipe r.json --scale-dtype f32')).toMatchObject({
      recipes: ['r.json'],
      scaleDtype: 'f32',
    });
  });

  test.each([
    ['quantize m --recipe r --format int4 --out o', '--recipe and --format exclude each other'],
    ['quantize m --recipe r --tensor * --out o', '--recipe and --tensor exclude each other'],
    ['compare m --recipe', "Option '--recipe <value>' argument missing"],
    [
      'perplexity m --recipe r --format int4 --save-logits x',
      '--save-logits takes one --format or --recipe at most',
    ],
  ])('refuses "%s"', (text, message) => {
    expect(usageError(text).message).toBe(message);
  });
});
