import type { Configuration } from '../configuration.js';
import { planRotary } from '../rotary.js';
import { biasOfAll, normsBefore, planDecoder, rmsNorm } from './decoder.js';
import { readLayerWindows, type Architecture } from './shared.js';

/** For each layer whether it has rotary positions: every fourth has none where nothing is listed. */
function readRotated(config: Configuration, layers: number): boolean[] {
  const interval = config.count('no_rope_layer_interval', 4);
  return (
    config.flags('no_rope_layers', layers) ??
    Array.from({ length: layers }, (_, layer) => (layer + 1) % interval !== 0)
  );
}

/** SmolLM3: Llama with layers that have no positions. */
export const smollm3: Architecture = {
  modelType: 'smollm3',
  plan: (config, model) => {
    const layers = config.count('num_hidden_layers');
    let rotated: boolean[] | undefined;
    let windows: number[] | undefined;
    return planDecoder(config, model, {
      norm: rmsNorm,
      places: normsBefore,
      attentionBias: biasOfAll,
      keyValueHeads: 4,
      tiedByDefault: true,
      maxPositions: 32768,
      attention: (_, __, layer) => {
        // The layers are counted against the checkpoint by now.
        const turns = (rotated ??= readRotated(config, layers));
        windows ??= readWindows(config, turns);
        return { window: windows[layer], rotation: turns[layer] ? undefined : 'none' };
      },
      model: ({ counts }) => ({
        rotary: planRotary(config, counts.headSize, { defaultTheta: 2_000_000 }),
      }),
    });
  },
};

/** Layers without positions may look back over a window only. */
function readWindows(config: Configuration, rotated: readonly boolean[]): number[] {
  const layers = rotated.length;
  if (!config.boolean('use_sliding_window', false)) return new Array<number>(layers).fill(0);
  const window = config.optional('sliding_window', 'count');
  return readLayerWindows(config, layers, window, (layer) => !rotated[layer]);
}
