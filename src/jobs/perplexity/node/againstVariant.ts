import type { ModelTensor, OpenedModel } from '../../../checkpoint/types.js';
import { planLanguageModel } from '../../../model/config/languageModel.js';
import { pairPlans } from '../../../model/config/pairPlans.js';
import { tensorsAfter, tensorsBefore, tensorsOfBlock } from '../../../model/config/plan.js';
import { canonicalName } from '../../../model/config/tensorNames.js';
import type { LanguageModel, TensorChange, Variant } from '../../../model/evaluation/types.js';
import { fingerprintModel } from '../../../model/scores/node/fingerprint.js';
import { listQuoted, quoted, visible } from '../../../storage/errors.js';

/** Differences of plans that an error names. */
const NAMED = 3;

/** Another checkpoint as a variant of a model, and what to know of it. */
export interface AgainstVariant {
  readonly variant: Variant;
  /** Whether scores may be kept: not where changes of its files would not be noticed. */
  readonly isKnown: boolean;
  readonly notes: readonly string[];
}

/**
 * The model with all of its tensors, norms and embeddings included, taken from another checkpoint.
 * @param positions of the longest window
 * @throws an Error of one line where the other checkpoint lacks a tensor, or computes otherwise with them: then its
 *   perplexity is not that of this computation
 */
export async function makeAgainstVariant(
  model: LanguageModel,
  against: OpenedModel,
  positions: number,
): Promise<AgainstVariant> {
  const { names, notes } = await pairNames(model, against, positions);
  const tensors = new Map(against.tensors.map((tensor) => [tensor.name, tensor]));
  const changes = new Map<string, TensorChange>();
  for (const [name, other] of names) changes.set(name, { stored: tensors.get(other)! });
  const fingerprint = await fingerprintModel(against);
  return {
    variant: { id: `against ${fingerprint ?? against.path}`, changes },
    isKnown: fingerprint !== undefined,
    notes,
  };
}

interface PairedNames {
  readonly names: ReadonlyMap<string, string>;
  readonly notes: readonly string[];
}

async function pairNames(
  model: LanguageModel,
  against: OpenedModel,
  positions: number,
): Promise<PairedNames> {
  if (against.config === undefined && against.configProblem === undefined) {
    return pairByName(model, against);
  }
  const other = await planLanguageModel(against);
  const { names, differences } = pairPlans(model.plan, other.plan, positions);
  if (differences.length > 0) {
    const named = differences.slice(0, NAMED).map(visible).join('; ');
    const more = differences.length > NAMED ? ` and ${differences.length - NAMED} more` : '';
    throw new Error(
      `${visible(against.path)}: it computes otherwise than ${visible(model.opened.path)} (${named}${more}); ` +
        'its perplexity can be measured by itself only',
    );
  }
  return { names, notes: other.plan.notes };
}

/** Without a configuration of its own, the other checkpoint is run as the model's says. */
function pairByName({ opened, plan }: LanguageModel, against: OpenedModel): PairedNames {
  const byName = new Map<string, ModelTensor>();
  for (const tensor of against.tensors) byName.set(canonicalName(tensor.name), tensor);
  const names = new Map<string, string>();
  const missing: string[] = [];
  const wanted = [
    ...tensorsBefore(plan),
    ...plan.blocks.flatMap(tensorsOfBlock),
    ...tensorsAfter(plan),
  ];
  for (const name of new Set(wanted)) {
    const other = byName.get(canonicalName(name));
    if (other) names.set(name, other.name);
    else missing.push(name);
  }
  if (missing.length > 0) {
    const why = against.undecodable.get(missing[0]) ?? `no tensor in the place of`;
    throw new Error(
      `${visible(against.path)}: it cannot be run in the place of ${visible(opened.path)}: ${why} ${listQuoted(missing)}`,
    );
  }
  return {
    names,
    notes: [
      `${quoted(against.path)} has no configuration: it is run as that of the other checkpoint says.`,
    ],
  };
}
