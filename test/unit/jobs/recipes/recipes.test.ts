// Recipes: read as strictly as they are written, and what other programs get of them.
import { describe, expect, it } from 'vitest';
import { EXPORTERS } from '../../../../src/jobs/recipes/exporters/index.js';
import { formatRecipe, parseRecipe, type Recipe } from '../../../../src/jobs/recipes/recipe.js';

const RECIPE: Recipe = {
  recipe: 1,
  about: { note: 'a "test"' },
  scaleDtype: 'f16',
  tensors: [
    { name: 'model.layers.0.self_attn.q_proj.weight', format: 'int4-asym:g128' },
    { name: 'a "strange"\nname', format: 'nf4:g64' },
  ],
};

describe('a recipe', () => {
  it('is read as it was written, and formats by any of their names', () => {
    expect(parseRecipe(formatRecipe(RECIPE), 'r.json')).toEqual(RECIPE);
    const short = '{"recipe":1,"scaleDtype":"f32","tensors":[{"name":"a","format":"INT4"}]}';
    expect(parseRecipe(short, 'r.json').tensors).toEqual([{ name: 'a', format: 'int4-asym:g128' }]);
  });

  it.each([
    ['', /^r\.json: is no JSON: /],
    ['[]', /^r\.json: is no recipe: a JSON object is wanted$/],
    ['{"recipe":2}', /^r\.json: "recipe" is not 1, the version that can be read$/],
    ['{}', /^r\.json: "recipe" is not 1/],
    ['{"recipe":1,"bits":3}', /^r\.json: "bits" is not one of recipe, scaleDtype, tensors, about$/],
    ['{"recipe":1,"scaleDtype":"f8"}', /"scaleDtype" is not one of f16, bf16, f32$/],
    [
      '{"recipe":1,"scaleDtype":"f16","tensors":[]}',
      /"tensors" is not a list of at least one tensor$/,
    ],
    ['{"recipe":1,"scaleDtype":"f16","tensors":[1]}', /"tensors"\[0\] is not an object$/],
    [
      '{"recipe":1,"scaleDtype":"f16","tensors":[{"name":"a","format":"int4","x":1}]}',
      /"tensors"\[0\] "x" is not one of name, format$/,
    ],
    [
      '{"recipe":1,"scaleDtype":"f16","tensors":[{"name":"a","format":"int4"},{"name":"a","format":"int4"}]}',
      /"tensors"\[1\] "name" "a" is there twice$/,
    ],
    [
      '{"recipe":1,"scaleDtype":"f16","tensors":[{"name":"a","format":"int99"}]}',
      /"tensors"\[0\] "format": .*int99/,
    ],
    [
      '{"recipe":1,"scaleDtype":"f16","tensors":[{"name":"a","format":"int4+gptq"}]}',
      /"tensors"\[0\] "format": /,
    ],
  ])('%s: is refused in one line', (text, message) => {
    expect(() => parseRecipe(text, 'r.json')).toThrow(message);
    expect(() => parseRecipe(text, 'r.json')).toThrow(/^[^\n]*$/);
  });
});

const Q = 'model.layers.0.self_attn.q_proj.weight';
const K = 'model.layers.0.self_attn.k_proj.weight';
const DOWN = 'model.layers.10.mlp.down_proj.weight';
const UP = 'model.layers.1.mlp.up_proj.weight';

/** What an exporter writes. */
function exported(name: string, formats: Readonly<Record<string, string>>, kept: string[] = []) {
  const exporter = EXPORTERS.find((each) => each.name === name)!;
  const tensors = Object.entries(formats).map(([tensor, format]) => ({ name: tensor, format }));
  return exporter.write({ tensors, kept });
}

describe('recipes for other programs', () => {
  it('llama-quantize gets its types by expressions that match one name each', () => {
    const { text, notes } = exported(
      'llama-quantize',
      { [Q]: 'q4_k', [DOWN]: 'q6_k', [K]: 'f16', [UP]: 'int4-asym:g128' },
      ['model.layers.2.mlp.up_proj.weight'],
    );
    expect(text).toBe(
      '^blk\\.0\\.attn_q\\.weight$=q4_k\n^blk\\.10\\.ffn_down\\.weight$=q6_k\n^blk\\.0\\.attn_k\\.weight$=f16\n',
    );
    const [pattern] = text.split('=');
    expect('blk.0.attn_q.weight').toMatch(new RegExp(pattern));
    expect('blk.10.attn_q.weight').not.toMatch(new RegExp(pattern));
    expect(notes[0]).toBe(`Not in the file: "${UP}", since GGUF has no type int4-asym:g128.`);
    expect(notes[1]).toMatch(/^Of 2 linear weights that are not in the file/);
  });

  it('GPTQModel gets the commonest settings, others and what is left out by module', () => {
    const { text, notes } = exported(
      'gptqmodel',
      { [Q]: 'int4-sym:g32', [K]: 'int4-sym:g32', [DOWN]: 'int8-asym:row', [UP]: 'int5-asym:g64' },
      ['lm.x.weight'],
    );
    expect(JSON.parse(text)).toEqual({
      bits: 4,
      group_size: 32,
      sym: true,
      dynamic: {
        '+:^model\\.layers\\.10\\.mlp\\.down_proj$': { bits: 8, group_size: -1, sym: false },
        '-:^model\\.layers\\.1\\.mlp\\.up_proj$': {},
        '-:^lm\\.x$': {},
      },
    });
    expect(notes[0]).toMatch(/GPTQModel packs 2, 3, 4, 8 bits and not 5/);
  });

  it('compressed-tensors gets a group of modules for each scheme', () => {
    const { text, notes } = exported('compressed-tensors', {
      [Q]: 'int4-sym:g128',
      [K]: 'int4-sym:g128',
      [DOWN]: 'nvfp4',
      [UP]: 'q4_k',
    });
    expect(JSON.parse(text)).toEqual({
      quant_method: 'compressed-tensors',
      config_groups: {
        group_0: {
          targets: ['model.layers.0.self_attn.q_proj', 'model.layers.0.self_attn.k_proj'],
          weights: {
            num_bits: 4,
            type: 'int',
            symmetric: true,
            strategy: 'group',
            group_size: 128,
          },
        },
        group_1: {
          targets: ['model.layers.10.mlp.down_proj'],
          weights: {
            ...{ num_bits: 4, type: 'float', symmetric: true },
            ...{ strategy: 'tensor_group', group_size: 16 },
          },
        },
      },
      ignore: ['model.layers.1.mlp.up_proj', 'lm_head'],
    });
    expect(notes[0]).toMatch(/no scheme for q4_k/);
  });

  it('mlx-lm gets a predicate by module', () => {
    const { text, notes } = exported('mlx-lm', { [Q]: 'int4-asym:g64', [K]: 'int4-sym:g64' });
    expect(text).toContain(
      '    "model.layers.0.self_attn.q_proj": {"group_size":64,"bits":4,"mode":"affine"},\n',
    );
    expect(text).not.toContain('k_proj');
    expect(notes[0]).toMatch(/int4-sym:g64 has no bias/);
  });

  it.each(EXPORTERS.map(({ name }) => name))(
    '%s: is refused what it can express nothing of',
    (name) => {
      expect(() => exported(name, { [Q]: 'dint4:g128' })).toThrow(
        /nothing of this recipe can be expressed. Not in the file: /,
      );
    },
  );
});
