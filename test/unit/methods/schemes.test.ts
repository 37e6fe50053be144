// Names of quantization schemes: what is read, how it is printed, and what is refused in which words.
import { describe, expect, it } from 'vitest';
import { FormatNameError } from '../../../src/formats/index.js';
import { METHODS } from '../../../src/methods/index.js';
import type { MethodOption } from '../../../src/methods/types.js';
import { defaultOptions, parseScheme, schemeLabel } from '../../../src/methods/schemes.js';

function refusal(text: string): string {
  try {
    parseScheme(text);
  } catch (error) {
    expect(error).toBeInstanceOf(FormatNameError);
    const { message } = error as Error;
    expect(message).not.toContain('\n');
    return message;
  }
  throw new Error(`"${text}" was accepted`);
}

describe('a scheme', () => {
  it.each([
    ['int4', 'int4-asym:g128', 'INT4 g128'],
    [' INT4:G128+GPTQ ', 'int4-asym:g128+gptq', 'INT4 g128 GPTQ'],
    ['int4+gptq:act-order', 'int4-asym:g128+gptq:act-order', 'INT4 g128 GPTQ (act-order)'],
    ['int4+mse+gptq', 'int4-asym:g128+mse+gptq', 'INT4 g128 +mse GPTQ'],
    ['int4+gptq+mse', 'int4-asym:g128+mse+gptq', 'INT4 g128 +mse GPTQ'],
    ['f32+smoothquant', 'f32+smoothquant', 'F32 SmoothQuant'],
    ['int8-sym/int8-token', 'int8-sym:g128/int8-token', 'INT8 sym g128 · A8'],
    ['int8-sym/int8-token:qkv', 'int8-sym:g128/int8-token:qkv', 'INT8 sym g128 · A8 +qkv'],
    [
      'fp4-e2m1:row+llm-fp4/fp4-shifted',
      'fp4-e2m1:row+llm-fp4/fp4-shifted',
      'FP4 row LLM-FP4 · A FP4 shifted',
    ],
    ['dint4+aqas/int8-token', 'dint4:g128+aqas/int8-token', 'dINT4 g128 AQAS · A8'],
    [
      'dint4:row+aqas+gptq:damp=0.05/fp8-static',
      'dint4:row+aqas+gptq:damp=0.05/fp8-static',
      'dINT4 row AQAS GPTQ (damp=0.05) · A FP8 static',
    ],
  ])('"%s" is %s', (text, id, label) => {
    const scheme = parseScheme(text);
    expect(scheme.id).toBe(id);
    expect(parseScheme(scheme.id)).toEqual(scheme);
    expect(schemeLabel(scheme)).toBe(label);
  });

  it('has methods in the order given, with all of their options', () => {
    const { methods, activations, format } = parseScheme(
      'int4:g64+awq:no-clip+gptq:order=per-block:block=64/int8-token',
    );
    expect(format.id).toBe('int4-asym:g64');
    expect(activations?.id).toBe('int8-token');
    expect(methods.map(({ method }) => method.name)).toEqual(['awq', 'gptq']);
    expect(methods[0].options).toEqual({ 'no-scale': false, 'no-clip': true, duo: false });
    expect(methods[1].options).toEqual({
      ...defaultOptions(methods[1].method),
      order: 'per-block',
      block: 64,
    });
  });

  it('does not print options that are as usual', () => {
    expect(parseScheme('int4+gptq:damp=0.01:order=sequential').id).toBe('int4-asym:g128+gptq');
    // Options stand in the order of the method.
    expect(parseScheme('int4+gptq:act-order:block=32').id).toBe(
      'int4-asym:g128+gptq:block=32:act-order',
    );
  });

  it.each(METHODS.map((method) => [method.name, method] as const))(
    'reads back every option of %s that it prints',
    (name, { options, refuses, notation }) => {
      const formats = [
        notation?.format ?? 'int4:g64',
        'nf4',
        'fp4-e2m1:row',
        'int4:row/int4-static',
      ].map(parseScheme);
      const { format, activations } = formats.find(
        (each) => !refuses(each.format, each.activations),
      )!;
      const isAllowed = ({ default: usual, range, isWhole }: MethodOption, value: number) =>
        value !== usual &&
        value >= (range?.[0] ?? 0) &&
        value <= (range?.[1] ?? Infinity) &&
        (!isWhole || Number.isInteger(value));
      const others = options.map((option) => {
        if (typeof option.default === 'boolean') return option.name;
        if (typeof option.default === 'number') {
          const value = [1, 2, 3, 0.25].find((each) => isAllowed(option, each));
          return `${option.name}=${value}`;
        }
        return `${option.name}=${option.values!.find((value) => value !== option.default)}`;
      });
      const behind = activations ? `/${activations.id}` : '';
      const text = [`${format.id}+${name}`, ...others].join(':') + behind;
      const scheme = parseScheme(text);
      expect(parseScheme(scheme.id)).toEqual(scheme);
      for (const option of options) {
        expect(scheme.methods[0].options[option.name]).not.toBe(option.default);
        const isInName = notation?.letters.includes(option.name) ?? false;
        expect(scheme.id).toContain(`${isInName ? '-' : ':'}${option.name}`);
      }
    },
  );
});

describe('a wrong scheme', () => {
  const known = `mse, clip, ${METHODS.map(({ name }) => name).join(', ')}`;

  it.each([
    ['int4+best', `Format "int4+best": "+best" is not one of ${known}`],
    ['int4+', `Format "int4+": "+" is not one of ${known}`],
    ['int4+mse:2', `Format "int4+mse:2": "+mse" is not one of ${known}`],
    [
      'int4+gptq:fast',
      'Format "int4+gptq:fast": gptq has no option "fast" (it has damp, block, act-order, static-groups, order, context)',
    ],
    ['int4+hqq:x', 'Format "int4+hqq:x": hqq has no option "x" (it has none)'],
    ['int4+gptq:damp', 'Format "int4+gptq:damp": "damp" takes a value'],
    ['int4+gptq:damp=', 'Format "int4+gptq:damp=": "damp" takes a number'],
    ['int4+gptq:damp=-1', 'Format "int4+gptq:damp=-1": "damp" takes a number'],
    ['int4+gptq:damp=1e999', 'Format "int4+gptq:damp=1e999": "damp" takes a number'],
    ['int4+gptq:order=x', 'Format "int4+gptq:order=x": "order" takes one of sequential, per-block'],
    ['int4+gptq:act-order=1', 'Format "int4+gptq:act-order=1": "act-order" takes no value'],
    ['int4+gptq+gptq', 'Format "int4+gptq+gptq": a method is there twice'],
    ['int4+gptq+hqq', 'Format "int4+gptq+hqq": gptq and hqq both choose the codes'],
    ['int4+gptq+awq', 'Format "int4+gptq+awq": gptq chooses the codes, so it comes last'],
    [
      'q4_k+gptq',
      'Format "q4_k+gptq": GPTQ rounds one column of weights after the other, but Q4_K fits a whole block at once.',
    ],
    [
      'nf4+hqq',
      'Format "nf4+hqq": HQQ finds scale and zero point of integers itself: write intN with a group, as int4:g64',
    ],
    [
      'fp4-e2m1+llm-fp4',
      'Format "fp4-e2m1+llm-fp4": LLM-FP4 chooses the exponents of floats with one bias per row: write fp4-e2m1:row, or another fpN-eXmY:row',
    ],
    [
      'fp4-e2m1:row+llm-fp4/fp4-token',
      'Format "fp4-e2m1:row+llm-fp4/fp4-token": LLM-FP4 chooses biases that do not depend on tokens: write /fp4-static, /fp4-shifted, /fp8-static or /fp8-shifted',
    ],
    [
      'int4:row+mergequant/int4-token',
      'Format "int4:row+mergequant/int4-token": MergeQuant chooses static steps of inputs: write /int4-static or /int8-static behind it',
    ],
    [
      'nf4:row+mergequant/int4-static',
      'Format "nf4:row+mergequant/int4-static": MergeQuant merges steps of inputs into rows of integers: write int4:row or another intN',
    ],
    ['bf16+awq', 'Format "bf16+awq": bf16 has no groups whose range could be clipped'],
    ['int4/int8-token/x', 'Format "int4/int8-token/x": more than one "/"'],
  ])('"%s" is refused by the part that is wrong', (text, message) => {
    expect(refusal(text)).toBe(message);
  });

  it.each([
    ['int4/int9-token', '"int9-token"'],
    ['int4/', '""'],
    ['int4/int8-token:all', '":all"'],
    ['int4:g1+gptq', '"g1"'],
    ['ant9+gptq', '"ant9"'],
    ['+gptq', '""'],
  ])('"%s" is refused, naming %s', (text, part) => {
    expect(refusal(text)).toContain(part);
  });

  it('has numbers that its method could not work with', () => {
    expect(refusal('int4+smoothquant:alpha=1.5')).toBe(
      'Format "int4+smoothquant:alpha=1.5": "alpha" takes a number from 0 to 1',
    );
    for (const block of ['0', '0.5', '1e9']) {
      expect(refusal(`int4+gptq:block=${block}`)).toBe(
        `Format "int4+gptq:block=${block}": "block" takes a whole number from 1 to 65536`,
      );
    }
  });
});
