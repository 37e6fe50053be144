import type { ModelPlan } from '../config/plan.js';

/** @throws where windows cannot be run: too short, too long, tokens that the model has not */
export function checkWindows(plan: ModelPlan, windows: readonly Int32Array[]): void {
  const { maxPositions, positionsAreHard, rotary, localRotary, vocabularySize, modelType } = plan;
  for (const [index, ids] of windows.entries()) {
    const place = `window ${index + 1}`;
    if (ids.length < 2) throw new Error(`${place}: a window needs at least 2 tokens`);
    if (positionsAreHard && ids.length > maxPositions) {
      throw new Error(
        `${place}: ${ids.length} tokens are more than the ${maxPositions} positions of this model`,
      );
    }
    for (const each of [rotary, localRotary]) {
      const limit = each && !each.longFrequencies ? each.longAfter : undefined;
      if (limit === undefined || ids.length <= limit) continue;
      throw new Error(
        `${place}: beyond ${limit} tokens the rotary encoding of this model changes with length, which is not supported`,
      );
    }
    const wrong = ids.findIndex((id) => id < 0 || id >= vocabularySize);
    if (wrong >= 0) {
      throw new Error(
        `${place}: token ${ids[wrong]} at position ${wrong} is outside the vocabulary of ${vocabularySize} (${modelType}); tokenizer and model do not belong together`,
      );
    }
  }
}
