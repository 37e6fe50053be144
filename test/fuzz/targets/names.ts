import { nameLayers } from '../../../src/checkpoint/layers.js';
import { describeQuantization } from '../../../src/checkpoint/quantizable.js';
import type { TensorReport } from '../../../src/reports/reports.js';
import { describeLayers } from '../../../src/jobs/inspection/describeLayers.js';
import { makeTensorMatcher } from '../../../src/jobs/selection.js';
import { findOrientation } from '../../../src/model/config/orientation.js';
import { shortestTails, shortNames, visibleName } from '../../../webview/components/names.js';
import { filterWords, TreeModel } from '../../../webview/editor/treeModel.js';
import { textInput, textOf, type Input } from '../input.js';
import { evaluateTree, parseTree } from '../json.js';
import { mutateJson } from '../mutateJson.js';
import type { Random } from '../random.js';
import { promise, type FuzzTarget } from '../target.js';

const FILE = 'names.json';
/** Of a name: a header may hold names of megabytes. */
const MAX_NAME = 200_000;
const MAX_NAMES = 5000;
const MAX_GLOB = 500;
const MAX_MATCHED = 10_000;

const PIECES = [
  ...[
    '.',
    '..',
    '0',
    '1.',
    '0.',
    'a',
    'a.',
    'weight',
    '.weight',
    'layers.0.',
    'norm',
    'bias.',
    '/',
    '-',
  ],
  ...[
    'h.0.attn.',
    'mlp.c_fc.',
    'layers.10.',
    '\u200b',
    '\u202e',
    '😀',
    'é',
    '99999999999999999999',
    ' ',
  ],
  ...['*', '?', '**', '+(a)', '[', '{a,b}', '!(', '@', '\\', 'x2', '2,000', '×', '\n'],
];

function namesOf(input: Input): string[] {
  const tree = parseTree(textOf(input, FILE));
  const value = tree && evaluateTree(tree);
  const names = Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
  return [...new Set(names)].slice(0, MAX_NAMES);
}

/** A name of one piece many times over, on which work that is not linear takes forever. */
function longName(random: Random): string {
  const piece = Array.from({ length: 1 + random.below(3) }, () => random.pick(PIECES)).join('');
  const count = random.length(MAX_NAME / piece.length);
  return random.pick(PIECES) + piece.repeat(count) + random.pick(PIECES);
}

function tensorOf(name: string, place: ReturnType<ReturnType<typeof nameLayers>>): TensorReport {
  const stored = {
    name,
    file: 'f',
    dtype: 'F32',
    shape: [4, 4],
    offset: 0,
    bytes: 64,
    elements: 16,
  } as const;
  return { ...stored, ...place, transposed: false, ...describeQuantization(stored) };
}

/** Names of tensors: layers, roles, globs, and the page's lists, whose work must be linear. */
export const names: FuzzTarget = {
  name: 'names',
  seeds: () =>
    [
      [
        'model.embed_tokens.weight',
        'model.layers.0.mlp.up_proj.weight',
        'model.layers.10.mlp.up_proj.weight',
      ],
      [
        'h.0.attn.c_attn.weight',
        'h.0.attn.c_attn.bias',
        'h.1.attn.c_attn.weight',
        'wte.weight',
        'lm_head.weight',
      ],
      [
        '',
        '.',
        '0',
        '0.0',
        'a.0',
        'a.0.b',
        'weight',
        'bias',
        'x.weight',
        '__proto__',
        'constructor',
      ],
      ['*.mlp.*', '**', 'model.layers.{0..9}.*', '!(a|b)', '[a-z]*'],
    ].map((list) => textInput(FILE, JSON.stringify(list))),
  mutate(input, random, pool) {
    if (random.chance(0.04)) {
      const list = random.chance(0.5)
        ? [longName(random), longName(random)]
        : Array.from(
            { length: random.length(MAX_NAMES) },
            (_, i) => `${random.pick(PIECES)}${i}${random.pick(PIECES)}`,
          );
      return textInput(FILE, JSON.stringify([...namesOf(input).slice(0, 10), ...list]));
    }
    const words = PIECES.map((piece) => JSON.stringify(piece));
    const donors = [textOf(random.pick(pool), FILE)];
    return [{ name: FILE, bytes: mutateJson(textOf(input, FILE), random, { donors, words }) }];
  },
  check(input) {
    const list = namesOf(input);
    const placeOf = nameLayers(list);
    const tensors = list.map((name) => tensorOf(name, placeOf(name)));
    for (const { name, layer, nameInLayer, notByDefault, quantizedByDefault } of tensors) {
      promise(
        name.endsWith(layer === '' ? nameInLayer : `${layer}.${nameInLayer}`),
        `"${name}" is called otherwise`,
      );
      promise(quantizedByDefault === (notByDefault === undefined), `"${name}" has no reason`);
      // eslint-disable-next-line no-control-regex
      promise(!/[\u0000-\u001f\u200b\u202e]/.test(visibleName(name)), `"${name}" cannot be seen`);
    }
    const layers = describeLayers(tensors);
    promise(
      layers.reduce((sum, layer) => sum + layer.tensors, 0) ===
        tensors.filter(({ layer }) => layer !== '').length,
      'the layers have other tensors',
    );
    for (const shorten of [shortNames, shortestTails]) {
      const short = shorten(list);
      promise(short.length === list.length, 'names are missing');
      promise(
        short.every((each, i) => list[i].includes(each)),
        'a short name is none of its name',
      );
    }
    const tree = new TreeModel({ tensors, layers });
    const { found } = tree.view(() => true, '');
    promise(
      found.tensors === list.length,
      `the tree has ${found.tensors} of ${list.length} tensors`,
    );
    if (list.length > 0) {
      filterWords(list[0]);
      tree.view(() => true, list[0]);
    }
    findOrientation(undefined, tensors);
    return matchesItself(list);
  },
};

/** Reads the first name as a glob, as the command line does with what a user types. */
function matchesItself([glob = '', ...others]: readonly string[]): boolean {
  if (glob.length > MAX_GLOB) return false;
  let matches: (name: string) => boolean;
  try {
    matches = makeTensorMatcher([glob]);
  } catch {
    return false;
  }
  // In steps, a glob may take its length times that of the name.
  for (const name of others.slice(0, 20)) matches(name.slice(0, MAX_MATCHED));
  return matches(glob);
}
