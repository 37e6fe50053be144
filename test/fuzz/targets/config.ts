import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { readConfigFile } from '../../../src/checkpoint/configFile.js';
import { nameArchitecture, summarizeConfig } from '../../../src/model/config/configSummary.js';
import { textInput, textOf, withPart, type Input } from '../input.js';
import { filesOf, FOLDER } from '../memoryFiles.js';
import { mutateJson } from '../mutateJson.js';
import { promise, promiseOneLine, type FuzzTarget } from '../target.js';

const CONFIG = 'config.json';
/** More would only be slower. */
const MAX_TEXT = 1 << 20;

/** Words of configurations. */
export const CONFIG_WORDS = [
  ...[
    '"model_type"',
    '"llama"',
    '"gpt2"',
    '"opt"',
    '"phi3"',
    '"gemma2"',
    '"hidden_size"',
    '"head_dim"',
  ],
  ...['"rope_scaling"', '"rope_parameters"', '"rope_type"', '"linear"', '"dynamic"', '"llama3"'],
  ...[
    '"longrope"',
    '"yarn"',
    '"factor"',
    '"rope_theta"',
    '"partial_rotary_factor"',
    '"layer_types"',
  ],
  ...['"full_attention"', '"sliding_attention"', '"sliding_window"', '"tie_word_embeddings"'],
  ...['"num_key_value_heads"', '"max_position_embeddings"', '"rms_norm_eps"', '"hidden_act"'],
  ...['"gelu"', '"silu"', 'NaN', 'Infinity', '-Infinity', '0', '-1', '1e30', '1e-30'],
];

/** Configurations of the models among the fixtures. */
export function configSeeds(
  root: string,
): readonly { readonly folder: string; readonly text: string }[] {
  return ['golden-models', 'own-models'].flatMap((collection) => {
    const path = join(root, 'test/fixtures', collection);
    const folders = readdirSync(path).map((name) => join(path, name));
    return folders
      .filter((folder) => existsSync(join(folder, CONFIG)))
      .map((folder) => ({ folder, text: readFileSync(join(folder, CONFIG), 'utf8') }));
  });
}

/** The text of config.json: read as JSON is, but for Python's words for numbers. */
export const configFile: FuzzTarget = {
  name: 'config-text',
  seeds: (root): Input[] => [
    ...configSeeds(root).map(({ text }) => textInput(CONFIG, text)),
    textInput(CONFIG, '{"a": NaN, "b": [-Infinity, Infinity], "c": "NaN \\" Infinity", "NaN": 1}'),
    textInput(CONFIG, `{"a": "${'\\\\'.repeat(300)}", "b": "${'\\"'.repeat(300)} NaN"}`),
  ],
  mutate(input, random, pool) {
    const text = textOf(input, CONFIG);
    if (random.chance(0.005)) {
      // Quadratic work shows on long texts only.
      const piece = random.pick([
        '"',
        '\\',
        '-',
        '[',
        '{"a":',
        'NaN',
        '"\\',
        '\\"',
        ' ',
        'Infinity ',
        'a',
      ]);
      const at = random.below(text.length);
      const filling = piece.repeat(random.length(MAX_TEXT / piece.length));
      return textInput(CONFIG, text.slice(0, at) + filling + text.slice(at));
    }
    const donors = [textOf(random.pick(pool), CONFIG)];
    return withPart(input, CONFIG, mutateJson(text, random, { donors, words: CONFIG_WORDS }));
  },
  async check(input) {
    const { config, problem } = await readConfigFile(FOLDER, filesOf(input));
    if (config === undefined) {
      promise(problem !== undefined, 'there is neither a configuration nor a problem');
      promiseOneLine(problem);
      promise(problem.includes(CONFIG), 'the problem does not name the file');
      return false;
    }
    promise(typeof config === 'object' && config !== null && !Array.isArray(config), 'no object');
    const text = textOf(input, CONFIG);
    let plain: unknown;
    try {
      plain = JSON.parse(text);
    } catch {
      promise(/NaN|Infinity/.test(text), 'a text was taken that is no JSON');
    }
    promise(
      plain === undefined || isDeepStrictEqual(config, plain),
      'the text says something else',
    );
    nameArchitecture(config);
    summarizeConfig(config);
    return true;
  },
};
