import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, vi } from 'vitest';
import { parseFormat } from '../../../src/formats/index.js';
import { selectTensors } from '../../../src/jobs/selection.js';
import { evaluate } from '../../../src/model/evaluation/evaluate.js';
import type * as ExpertRegions from '../../../src/model/evaluation/expertRegions.js';
import { inFormat } from '../../../src/model/evaluation/variants.js';
import { createPool } from '../../support/checkpoints.js';
import { openModel, SETTINGS, someWindows } from '../../support/languageModels.js';

// Tiny experts fit into memory together; here they have as little room as large ones have.
const room = vi.hoisted(() => ({ togetherBytes: 0, reserved: [] as number[] }));
vi.mock('../../../src/model/evaluation/expertRegions.js', async (original) => {
  const actual = await original<typeof ExpertRegions>();
  return {
    ...actual,
    reserveExpertRegions: (setup: ExpertRegions.ExpertRegionsSetup) => {
      const regions = actual.reserveExpertRegions({ ...setup, ...room });
      room.reserved.push(regions!.packed.bytes);
      return regions;
    },
  };
});

const OWN_MODELS = fileURLToPath(new URL('../../fixtures/own-models/', import.meta.url));
/** Of 24 × 32 weights each for gate, up and down, and alignment. */
const EXPERT_BYTES = 3 * 24 * 32 * 4;

it.each(['qwen3_moe-dense-layer', 'mixtral-fused'])(
  'experts give the same bits one at a time, a few at a time and all together: %s',
  async (name) => {
    const model = await openModel(join(OWN_MODELS, name));
    const windows = someWindows(model, [40, 7, 33]);
    const all = selectTensors(model.opened, {}).map((tensor) => tensor.name);
    const attention = all.filter((each) => each.includes('self_attn'));
    const experts = all.filter((each) => each.includes('experts'));
    const variants = [all, attention, experts].flatMap((names, index) =>
      ['int3:g8', 'int4:tensor'].map((id) => ({
        id: `${id} ${index}`,
        changes: inFormat(parseFormat(id), names),
      })),
    );
    const results: unknown[] = [];
    room.reserved = [];
    for (const togetherBytes of [1, 3 * EXPERT_BYTES, 64 << 20]) {
      room.togetherBytes = togetherBytes;
      const pool = await createPool();
      const found = await evaluate({ pool, model, windows, variants, settings: SETTINGS });
      results.push([found.baseline, found.variants]);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    const [one, few, together] = room.reserved;
    expect(one).toBeGreaterThanOrEqual(EXPERT_BYTES);
    expect(one).toBeLessThan(1.1 * EXPERT_BYTES);
    expect(few).toBeLessThan(together);
    expect(together).toBeGreaterThanOrEqual(4 * EXPERT_BYTES);
  },
);
