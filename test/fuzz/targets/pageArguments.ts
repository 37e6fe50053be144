import {
  comparisonArguments,
  editorArguments,
  menuContext,
} from '../../../src/reports/pageArguments.js';
import { SchemaError, type Schema } from '../../../src/rpc/schema.js';
import { textInput, textOf, withPart } from '../input.js';
import { evaluateTree, parseTree } from '../json.js';
import { mutateJson } from '../mutateJson.js';
import { promise, refusal, type FuzzTarget } from '../target.js';

const FILE = 'argument.json';
/** Every schema of what a page sends, by the name of its call. */
const SCHEMAS: ReadonlyMap<string, Schema<unknown>> = new Map<string, Schema<unknown>>([
  ...Object.entries(editorArguments),
  ...Object.entries(comparisonArguments),
  ['menu', menuContext],
]);
const WORDS = [
  ...[
    '"tensor"',
    '"bins"',
    '"groupSize"',
    '"maxColumns"',
    '"tensors"',
    '"label"',
    '"text"',
    '"name"',
  ],
  ...[
    '"uri"',
    '"content"',
    '"png"',
    '"webview"',
    '128',
    '999999999',
    '1000000000',
    '16384',
    '16385',
  ],
];

/** What pages send: each argument is let through as it is, or refused in one line. */
export const pageArguments: FuzzTarget = {
  name: 'page-arguments',
  seeds: () =>
    [
      'null',
      '{"tensor":"a","bins":64}',
      '{"tensor":"a","groupSize":128,"firstGroup":0,"shownGroups":10,"maxColumns":100}',
      '{"tensors":["a","b"],"label":"layers.0"}',
      '{"text":{"uri":"file:///x"}}',
      '{"text":{"name":"a.txt","content":"b"}}',
      '{"webview":"x","tensor":"a","quantizable":true}',
      '{"text":"a"}',
    ].map((text) => textInput(FILE, text)),
  mutate(input, random, pool) {
    const donors = [textOf(random.pick(pool), FILE)];
    return withPart(input, FILE, mutateJson(textOf(input, FILE), random, { donors, words: WORDS }));
  },
  check(input) {
    const tree = parseTree(textOf(input, FILE));
    if (!tree) return false;
    const value = evaluateTree(tree);
    let taken = 0;
    for (const [call, schema] of SCHEMAS) {
      let read: unknown;
      try {
        read = schema.read(value, call);
      } catch (error) {
        refusal(error, SchemaError);
        continue;
      }
      taken++;
      const again = JSON.stringify(schema.read(read, call));
      promise(again === JSON.stringify(read), `${call} takes something else the second time`);
      for (const [key, each] of Object.entries(read ?? {})) {
        const sent = (value as Record<string, unknown>)[key];
        promise(
          JSON.stringify(each) === JSON.stringify(sent) ||
            call === 'menu' ||
            typeof sent === 'object',
          `${call} made another ${key}`,
        );
      }
    }
    return taken > 0;
  },
};
