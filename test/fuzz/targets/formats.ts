import {
  computeBitsPerWeight,
  FORMAT_CATALOGUE,
  formatLabel,
  FormatNameError,
  parseFormat,
  withGrouping,
  type NumberFormat,
} from '../../../src/formats/index.js';
import { visible } from '../../../src/storage/errors.js';
import { textInput, textOf } from '../input.js';
import type { Random } from '../random.js';
import { promise, promiseOneLine, type FuzzTarget } from '../target.js';

const FILE = 'format.txt';
/** What a message says beside the name. */
const LONGEST_REASON = 300;
const NAMES = FORMAT_CATALOGUE.map(({ name }) => name);
const PIECES = [
  ...NAMES,
  ...[
    ':g128',
    ':g2',
    ':g1',
    ':g0',
    ':row',
    ':tensor',
    ':g999999999',
    ':g1e3',
    ':g-1',
    ':g 4',
    ':',
    '+mse',
  ],
  ...[
    '+clip',
    '+',
    '+none',
    ' ',
    '\n',
    '-e2m1',
    '-even',
    '-asym',
    'fp',
    'afp8-e4m3',
    'int',
    '4',
    'fp6-e1m4',
  ],
  ...[
    'INT4',
    '__proto__',
    'constructor',
    'toString',
    '\0',
    '\u0130',
    'ı',
    'İ',
    'ß',
    ',',
    'g32',
    'K',
  ],
];

function change(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  const dropped = random.chance(0.5) ? 0 : random.length(text.length + 1);
  const added = random.chance(0.7) ? random.pick(PIECES) : '';
  const changed = text.slice(0, at) + added + text.slice(at + dropped);
  return random.chance(0.01) ? changed.repeat(1 + random.length(5000)) : changed;
}

/** Names of formats: what is understood has one canonical name, which is understood as the same. */
export const formats: FuzzTarget = {
  name: 'formats',
  seeds: () =>
    [...NAMES, 'int4:g64+mse', 'afp4:row', 'fp4:tensor', ' NF4 '].map((name) =>
      textInput(FILE, name),
    ),
  mutate(input, random) {
    const text = random.chance(0.6)
      ? random.pick(NAMES) + random.pick(PIECES) + (random.chance(0.5) ? random.pick(PIECES) : '')
      : textOf(input, FILE);
    return textInput(FILE, random.chance(0.5) ? text : change(text, random));
  },
  check(input) {
    const text = textOf(input, FILE);
    let format: NumberFormat;
    try {
      format = parseFormat(text);
    } catch (error) {
      if (!(error instanceof FormatNameError)) throw error;
      // It repeats what was typed; whoever shows it makes that visible.
      promiseOneLine(visible(error.message), 10 * text.length + LONGEST_REASON);
      return false;
    }
    const again = parseFormat(format.id);
    promise(again.id === format.id, `"${format.id}" is read as "${again.id}"`);
    promise(again.entry === format.entry, `"${format.id}" is another format`);
    promise(formatLabel(again) === formatLabel(format), `"${format.id}" has two labels`);
    for (const scaleDtype of ['f16', 'f32'] as const) {
      const bits = computeBitsPerWeight(format, [48, 100], scaleDtype);
      promise(Number.isFinite(bits) && bits > 0, `a weight takes ${bits} bits`);
    }
    const regrouped = withGrouping(format, { kind: 'columns', size: 64 });
    promise(
      parseFormat(regrouped.id).id === regrouped.id,
      `"${regrouped.id}" is not read as itself`,
    );
    return true;
  },
};
