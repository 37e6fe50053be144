import { describe, expect, it } from 'vitest';
import { ACTIVATION_CATALOGUE } from '../../../src/formats/activations.js';
import { FORMAT_CATALOGUE, parseFormat } from '../../../src/formats/index.js';
import { allowsFormat, combineSchemes } from '../../../src/methods/combine.js';
import { findMethod, METHODS } from '../../../src/methods/index.js';
import { parseScheme } from '../../../src/methods/schemes.js';

const ids = (choices: Parameters<typeof combineSchemes>[0]) =>
  combineSchemes(choices).schemes.map(({ id }) => id);

describe('combinations of formats, methods and activations', () => {
  it('are all of them, format by format', () => {
    const choices = {
      formats: ['int4:g64', 'dint4'],
      methods: ['', 'gptq'],
      activations: ['', 'int8-token'],
    };
    expect(ids(choices)).toEqual([
      'int4-asym:g64',
      'int4-asym:g64/int8-token',
      'int4-asym:g64+gptq',
      'int4-asym:g64+gptq/int8-token',
      'dint4:g128',
      'dint4:g128/int8-token',
      'dint4:g128+gptq',
      'dint4:g128+gptq/int8-token',
    ]);
  });

  it('have searches for a range beside methods, where a format has one', () => {
    const { schemes, refused } = combineSchemes({
      formats: ['int4', 'q4_0', 'int4:tensor'],
      methods: ['', 'mse', 'clip'],
      activations: ['', 'int8-token'],
    });
    expect(schemes.map(({ id }) => id)).toEqual([
      'int4-asym:g128',
      'int4-asym:g128/int8-token',
      'int4-asym:g128+mse',
      'int4-asym:g128+mse/int8-token',
      'int4-asym:g128+clip',
      'int4-asym:g128+clip/int8-token',
      'q4_0',
      'q4_0/int8-token',
      'int4-asym:tensor',
      'int4-asym:tensor/int8-token',
    ]);
    expect(refused).toEqual([
      'Q4_0 has no range to search for',
      '+mse needs groups of a row or less',
      '+clip needs groups of a row or less',
    ]);
    for (const { id } of schemes) expect(parseScheme(id).id).toBe(id);
  });

  it('are formats alone where nothing else is chosen', () => {
    expect(ids({ formats: ['int4', 'nf4:g64'], methods: [], activations: [] })).toEqual([
      'int4-asym:g128',
      'nf4:g64',
    ]);
  });

  it('leave out what a method cannot do, and say why', () => {
    const { schemes, refused } = combineSchemes({
      formats: ['q4_0', 'int4'],
      methods: ['gptq'],
      activations: [],
    });
    expect(schemes.map(({ id }) => id)).toEqual(['int4-asym:g128+gptq']);
    expect(refused).toEqual([expect.stringContaining('fits a whole block at once')]);
  });

  it('leave out activations that a method cannot work with', () => {
    const { schemes, refused } = combineSchemes({
      formats: ['int4'],
      methods: ['mergequant'],
      activations: ['', 'int8-token', 'int4-static'],
    });
    expect(schemes.map(({ id }) => id)).toEqual(['int4-asym:g128+mergequant/int4-static']);
    expect(refused).toEqual([expect.stringContaining('static steps')]);
  });

  it('are said to be possible with other groups or activations', () => {
    const allows = (method: string, format: string) =>
      allowsFormat(findMethod(method)!, parseFormat(format));
    expect(allows('mergequant', 'int4')).toBe(true);
    expect(allows('mergequant', 'nf4')).toBe(false);
    expect(allows('llm-fp4', 'fp4')).toBe(true);
    expect(allows('llm-fp4', 'int4')).toBe(false);
    expect(allows('gptq', 'q4_0')).toBe(false);
  });

  it('have methods with a notation of their own once', () => {
    const choices = {
      formats: ['int4', 'nf4'],
      methods: ['vptq'],
      activations: ['', 'int8-token'],
    };
    expect(ids(choices)).toEqual(['vptq-v4-k256', 'vptq-v4-k256/int8-token']);
  });

  it('are names that can be read again, whatever is chosen', () => {
    const { schemes } = combineSchemes({
      formats: FORMAT_CATALOGUE.map(({ name }) => name),
      methods: ['', ...METHODS.map(({ name }) => name)],
      activations: ['', ...ACTIVATION_CATALOGUE.map(({ name }) => name)],
    });
    expect(schemes.length).toBeGreaterThan(1000);
    for (const { id } of schemes) expect(parseScheme(id).id).toBe(id);
  });
});
