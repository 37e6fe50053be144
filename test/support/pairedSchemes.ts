// Schemes against each other, window by window.
import { planLanguageModel } from '../../src/model/config/languageModel.js';
import { readWindows } from '../../src/jobs/perplexity/node/evaluationText.js';
import type { PerplexitySettings } from '../../src/jobs/perplexity/measurement.js';
import { makeSchemeVariants } from '../../src/jobs/perplexity/node/schemeVariants.js';
import { selectTensors } from '../../src/jobs/selection.js';
import { parseScheme } from '../../src/methods/schemes.js';
import { evaluate } from '../../src/model/evaluation/evaluate.js';
import type { WindowScore } from '../../src/model/evaluation/types.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import { computePerplexity, type Perplexity } from '../../src/model/scores/perplexity.js';
import { localFileSystem } from '../../src/storage/node/localFileSystem.js';
import type { StepFinding } from '../../src/methods/types.js';
import { createPool, HOST } from './checkpoints.js';

interface Difference {
  readonly delta: number;
  readonly error: number;
}

/** Mean and standard error over windows. */
function meanOf(values: readonly number[]): Difference {
  const { length } = values;
  const delta = values.reduce((sum, value) => sum + value, 0) / length;
  const squares = values.reduce((sum, value) => sum + (value - delta) ** 2, 0);
  return { delta, error: Math.sqrt(squares / (length - 1) / length) };
}

/** A scheme's scores: of itself against the unquantized model, and against another scheme. */
export interface PairedScheme {
  readonly perplexity: Perplexity;
  readonly findings: readonly StepFinding[];
  /** Difference of perplexities, this less the other's, with its standard error over windows. */
  against(other: string): Difference;
  /** The same of KL divergences, in nats per token. */
  divergenceAgainst(other: string): Difference;
}

/** Scores a model in several schemes over its text. */
export async function pairSchemes(
  path: string,
  schemes: readonly string[],
  settings: PerplexitySettings,
): Promise<ReadonlyMap<string, PairedScheme>> {
  const pool = await createPool();
  const opened = await openLocalModel(path);
  const model = await planLanguageModel(opened);
  const { windows, source } = await readWindows(HOST, model, settings);
  const scaleDtype = 'f32' as const;
  const made = await makeSchemeVariants(
    {
      ...{ pool, model, scaleDtype, settings, perLayer: false, files: localFileSystem },
      schemes: schemes.map(parseScheme),
      tensors: selectTensors(opened, {}).map(({ name }) => name),
      evaluated: { windows: windows.ids, source },
    },
    {},
  );
  try {
    const { baseline, variants } = await evaluate({
      ...{ pool, model, windows: windows.ids },
      variants: made.variants.map(({ whole }) => whole),
      settings: { scaleDtype, memoryBudgetBytes: 1 << 28 },
    });
    const scores = new Map<string, readonly WindowScore[]>(
      schemes.map((scheme, index) => [scheme, variants[index]]),
    );
    return new Map(
      schemes.map((scheme, index) => [
        scheme,
        {
          perplexity: computePerplexity(variants[index], baseline),
          findings: made.variants[index].calibration?.findings ?? [],
          against(other) {
            const { deltaVsBaseline, deltaStandardError } = computePerplexity(
              variants[index],
              scores.get(other)!,
            );
            return { delta: deltaVsBaseline, error: deltaStandardError! };
          },
          divergenceAgainst(other) {
            const perToken = ({ divergence, targets }: WindowScore) => divergence / targets;
            const others = scores.get(other)!;
            return meanOf(
              variants[index].map((score, window) => perToken(score) - perToken(others[window])),
            );
          },
        },
      ]),
    );
  } finally {
    await made.end();
  }
}
