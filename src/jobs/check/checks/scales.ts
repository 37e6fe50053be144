import type { Check, CheckedPart, CheckedWeight, CheckSubject, Severity } from '../check.js';

/** Parts that weights are multiplied or divided by. */
const SCALE_ROLES = [
  ...['scales', 'negativeScales', 'divisor', 'factor', 'absmax', 'nestedAbsmax'],
  ...['columnScales', 'maxima', 'biases', 'inputScale'],
];

/** Layouts whose writers give a group of zeros a scale all the same. */
const NEVER_ZERO: ReadonlySet<string> = new Set(['gptq', 'awq', 'pack-quantized', 'int8']);

/** Layouts where a scale of zero is how zeros are stored, or that only one sign occurs. */
const MAY_BE_ZERO: ReadonlySet<string> = new Set([
  ...['afpq', 'bitsandbytes-4bit', 'bitsandbytes-int8'],
]);

function* scalesOf({ weights }: CheckSubject): Generator<[CheckedWeight, string, CheckedPart]> {
  for (const weight of weights) {
    for (const role of SCALE_ROLES) {
      const part = weight.parts.get(role);
      if (part?.examined) yield [weight, role, part];
    }
  }
}

/** Bytes that stand for powers of two have NaN as 255 (OCP MX 1.0); nested maxima are places in a table. */
function countNotFinite({ layout }: CheckedWeight, { dtype, examined }: CheckedPart): number {
  const exponents = dtype === 'U8' && layout !== 'bitsandbytes-4bit';
  return examined!.nan + examined!.infinite + (exponents && examined!.max === 255 ? 1 : 0);
}

const notFinite: Check = {
  id: 'scale-not-finite',
  source: 'https://github.com/vllm-project/compressed-tensors/issues/832',
  *find(subject) {
    for (const [weight, , part] of scalesOf(subject)) {
      const count = countNotFinite(weight, part);
      if (count === 0) continue;
      const { file, name, examined, dtype } = part;
      const some = dtype === 'U8' ? 'some' : `${count} of ${examined!.elements}`;
      yield {
        ...{ severity: 'error', file, tensor: name },
        message: `${some} scales are NaN or infinite: what they scale cannot be decoded`,
      };
    }
  },
};

const zeroScale: Check = {
  id: 'scale-zero',
  source: 'https://github.com/NVIDIA/TensorRT-LLM/pull/16447',
  *find(subject) {
    for (const [{ layout }, role, { file, name, examined, dtype }] of scalesOf(subject)) {
      const { zeros, elements } = examined!;
      if (zeros === 0 || dtype === 'U8' || dtype === 'F8_E8M0') continue;
      if (role === 'biases' || MAY_BE_ZERO.has(layout)) continue;
      const whole = role === 'divisor' || role === 'factor';
      const severity: Severity = whole || NEVER_ZERO.has(layout) ? 'error' : 'warning';
      if (role === 'inputScale') {
        yield {
          ...{ severity: 'warning', file, tensor: name },
          message: `the scale of activations is zero: loaders divide by it`,
        };
      } else {
        yield {
          ...{ severity, file, tensor: name },
          message:
            role === 'divisor'
              ? 'the scale of the whole tensor is zero: loaders divide by it'
              : `${zeros} of ${elements} scales are zero: all that they scale is lost`,
        };
      }
    }
  },
};

export const scaleChecks: readonly Check[] = [notFinite, zeroScale];
