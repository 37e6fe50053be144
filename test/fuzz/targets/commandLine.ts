import { parseCommandLine, type CommandLine } from '../../../src/cli/arguments.js';
import { getHelp } from '../../../src/cli/help.js';
import { UsageError } from '../../../src/cli/usageError.js';
import { parseFormat } from '../../../src/formats/index.js';
import { visible } from '../../../src/storage/errors.js';
import { textInput, textOf, withPart } from '../input.js';
import { evaluateTree, parseTree } from '../json.js';
import { mutateJson } from '../mutateJson.js';
import { promise, promiseOneLine, type FuzzTarget } from '../target.js';

const FILE = 'arguments.json';

const WORDS = [
  ...[
    'inspect',
    'quantize',
    'compare',
    'perplexity',
    'recommend',
    'formats',
    'help',
    '--help',
    '-h',
    '--version',
  ],
  ...[
    '--json',
    '--quiet',
    '-q',
    '--threads',
    '--threads=4',
    '--threads=0',
    '--backend',
    'wasm',
    '--tensor',
  ],
  ...[
    '--tensor=*',
    '--stats',
    '--group-size',
    'row',
    '128',
    '--format',
    '--format=int4,nf4',
    '--out',
    '-o',
  ],
  ...[
    '--as',
    'dequantized-f32',
    '--scale-dtype',
    'bf16',
    '--csv',
    '--html',
    '--per-layer',
    '--context',
  ],
  ...[
    '--windows',
    '--text',
    '--token-ids',
    '--per-document',
    '--save-logits',
    '--memory',
    '--cache',
    '--',
  ],
  ...[
    'model',
    '-',
    '',
    '--no-json',
    '--json=true',
    '--__proto__',
    '--constructor=1',
    '-qh',
    '-qqq',
    '9'.repeat(30),
  ],
].map((word) => JSON.stringify(word));

function promiseLine(line: CommandLine): void {
  if (line.command === 'help') {
    promise(getHelp(line.topic).includes('quantscope'), 'there is no help');
    return;
  }
  if ('threads' in line && line.threads !== undefined) {
    promise(Number.isSafeInteger(line.threads) && line.threads >= 1, `${line.threads} threads`);
  }
  if (line.command === 'inspect') {
    promise(
      Number.isSafeInteger(line.groupSize) && line.groupSize >= 0,
      `groups of ${line.groupSize}`,
    );
  }
  const formats =
    line.command === 'quantize'
      ? [line.format ?? []].flat()
      : 'formats' in line
        ? line.formats
        : [];
  for (const format of formats)
    promise(parseFormat(format).id === format, `"${format}" is not canonical`);
  promise(new Set(formats).size === formats.length, 'a format stands there twice');
  if ('path' in line) promise(typeof line.path === 'string', 'the path is no text');
}

/** Arguments of the command line: understood, or refused with one line of usage. */
export const commandLine: FuzzTarget = {
  name: 'arguments',
  seeds: () =>
    [
      ['inspect', 'model', '--stats', '--group-size', '128', '--json'],
      [
        'recommend',
        'model',
        '--bits',
        '3.5',
        '--format',
        'int3,int4',
        '--tie',
        'qkv',
        '--pin',
        '*.v_proj.*=int8',
      ],
      ['quantize', 'model', '--recipe', 'r.json', '--out', 'x.safetensors'],
      ['quantize', 'model', '--format', 'int4', '--out', 'x.safetensors', '--tensor', '*'],
      ['compare', 'model', '--format', 'int4,nf4', '--format', 'fp4', '--csv', '--threads', '2'],
      ['perplexity', 'model', '--format', 'int4', '--context', '64', '--windows', '2'],
      ['formats', '--json'],
      ['help', 'compare'],
    ].map((list) => textInput(FILE, JSON.stringify(list))),
  mutate(input, random, pool) {
    const donors = [textOf(random.pick(pool), FILE)];
    return withPart(input, FILE, mutateJson(textOf(input, FILE), random, { donors, words: WORDS }));
  },
  check(input) {
    const tree = parseTree(textOf(input, FILE));
    const list = tree && evaluateTree(tree);
    if (!Array.isArray(list)) return false;
    const words = list.filter((each) => typeof each === 'string');
    let line: CommandLine;
    try {
      line = parseCommandLine(words);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      promiseOneLine(visible(error.message), 10 * textOf(input, FILE).length + 1000);
      return false;
    }
    promiseLine(line);
    return true;
  },
};
