// The search of LLM-FP4 by the paper's formulas, in f64, with plain loops and nothing of the product.

/** "E2M1" as numbers. */
export interface Split {
  readonly e: number;
  readonly m: number;
}

type Rows = readonly (readonly number[])[];

const largest = ({ e, m }: Split, bias: number) => (2 - 2 ** -m) * 2 ** (2 ** e - 1 - bias);

const initialBias = ({ e, m }: Split, magnitude: number) =>
  2 ** e - Math.log2(magnitude) + Math.log2(2 - 2 ** -m) - 1;

/** Half to even. */
function rhe(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** A number as a float of a split with a real bias. */
export function toFloat(split: Split, bias: number, x: number): number {
  const most = largest(split, bias);
  const clipped = Math.min(Math.max(x, -most), most);
  if (clipped === 0) return 0;
  const p = Math.max(Math.floor(Math.log2(Math.abs(clipped)) + bias), 1);
  const step = 2 ** (p - split.m - bias);
  return rhe(clipped / step) * step;
}

const maxAbs = (values: readonly number[]) => Math.max(...values.map(Math.abs));
const column = (rows: Rows, i: number) => rows.map((row) => row[i]);
const times = (x: Rows, w: Rows) =>
  x.map((row) => w.map((each) => each.reduce((sum, value, i) => sum + value * row[i], 0)));
const FACTORS = Array.from({ length: 100 }, (_, i) => 0.01 + (i * 1.19) / 100);

function argmin(losses: readonly number[]): number {
  return losses.indexOf(Math.min(...losses));
}

export interface PlainSearch {
  readonly weights: Rows;
  readonly inputs: Rows;
  readonly splits: readonly Split[];
  readonly first: number;
  /** None: inputs stay as they are. */
  readonly inputSplits: readonly Split[];
  readonly firstInput: number;
  readonly shifted: boolean;
}

/** Three rounds; see methods, "exact search". */
export function searchPlainly(search: PlainSearch) {
  const { weights, inputs, splits, inputSplits, shifted } = search;
  const wanted = times(inputs, weights);
  const channels = inputSplits.map((split) =>
    inputs[0].map((_, i) => initialBias(split, maxAbs(column(inputs, i)))),
  );
  const initial = channels.map((biases) => Math.min(...biases));
  const inputBias = [...initial];
  const biases = splits.map(() => weights.map(() => 0));
  let [w, a] = [search.first, search.firstInput];
  const roundInputs = (split: number, bias = inputBias[split]): Rows => {
    if (inputSplits.length === 0) return inputs;
    const { e } = inputSplits[split];
    const ofChannel = channels[split].map((each) =>
      shifted
        ? Math.min(Math.max(rhe(each), rhe(bias)), rhe(bias) + 2 ** e - 1) - rhe(bias) + bias
        : bias,
    );
    return inputs.map((row) => row.map((x, i) => toFloat(inputSplits[split], ofChannel[i], x)));
  };
  const roundWeights = (split: number): Rows =>
    weights.map((row, o) => row.map((x) => toFloat(splits[split], biases[split][o], x)));
  const lossOf = (x: Rows, q: Rows) =>
    times(x, q)
      .flatMap((row, t) => row.map((y, o) => (y - wanted[t][o]) ** 2))
      .reduce((sum, each) => sum + each, 0);
  let loss = NaN;
  for (let round = 0; round < 3; round++) {
    const x = roundInputs(a);
    splits.forEach((split, index) => {
      weights.forEach((row, o) => {
        const start = initialBias(split, maxAbs(row));
        const losses = FACTORS.map((factor) => {
          const q = row.map((value) => toFloat(split, factor * start, value));
          return times(x, [q]).reduce((sum, [y], t) => sum + (y - wanted[t][o]) ** 2, 0);
        });
        biases[index][o] = FACTORS[argmin(losses)] * start;
      });
    });
    const q = roundWeights(w);
    inputSplits.forEach((_, index) => {
      const losses = FACTORS.map((f) => lossOf(roundInputs(index, f * initial[index]), q));
      inputBias[index] = FACTORS[argmin(losses)] * initial[index];
    });
    const ofWeights = splits.map((_, index) => lossOf(roundInputs(a), roundWeights(index)));
    w = argmin(ofWeights);
    loss = ofWeights[w];
    if (inputSplits.length === 0) continue;
    const ofInputs = inputSplits.map((_, index) => lossOf(roundInputs(index), roundWeights(w)));
    a = argmin(ofInputs);
    loss = ofInputs[a];
  }
  return {
    split: splits[w],
    biases: biases[w],
    inputSplit: inputSplits[a] as Split | undefined,
    inputBias: inputBias[a] as number | undefined,
    weights: roundWeights(w),
    inputs: roundInputs(a),
    loss: loss / inputs.length / weights.length,
  };
}
