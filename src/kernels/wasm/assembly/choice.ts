import {
  CHOICE_DIVISOR, CHOICE_EXPANSION, CHOICE_GRID, CHOICE_GRID_INDEX, CHOICE_LENGTH, CHOICE_STEPS, Config,
} from './config';
import { prepareBlock } from './group';
import { grid16Errors, grid16Group, prepareGrid16 } from './grid16';
import { minifloatErrors, minifloatGroup } from './minifloat';
import { divisorOf } from './scales';
import { clearRest, sumSquares } from './search';

// Blocks that take the best of several choices. Reference: blockChoice.ts. A choice lies in memory as
// configSchema.ts says (CHOICE_LAYOUT).

/** Place of the grid of the block at work among the format's. */
export let gridIndex: i32 = 0;

/** Once for each call, before its groups. */
export function prepareChoices(config: Config): void {
  for (let i = 0; i < config.choiceCount; i++) {
    const grid = load<usize>(config.choices + <usize>i * CHOICE_LENGTH, CHOICE_GRID);
    if (grid != 0) prepareGrid16(grid);
  }
}

/** Makes a choice the one at work. */
function choose(config: Config, place: i32, largest: f32, tensorScale: f32): void {
  const at = config.choices + <usize>place * CHOICE_LENGTH;
  config.grid = load<usize>(at, CHOICE_GRID);
  gridIndex = load<i32>(at, CHOICE_GRID_INDEX);
  const plain: f32 = largest / load<f32>(at, CHOICE_DIVISOR) / divisorOf(tensorScale);
  const wanted: f32 = load<f32>(at, CHOICE_EXPANSION) * plain;
  prepareBlock(config, wanted, load<i32>(at, CHOICE_STEPS), tensorScale);
}

/** Finds the parameters of n weights whose range is lo … hi. @param e, u scratch for n weights */
export function fitBlock(
  config: Config, lo: f32, hi: f32, x: usize, e: usize, u: usize, n: i32,
): void {
  const largest = max(hi, -lo);
  const tensorScale: f32 = max(config.tensorHi, -config.tensorLo) / config.tensorDivisor;
  let best = 0;
  let bestError: f64 = 0;
  for (let i = 0; i < config.choiceCount; i++) {
    choose(config, i, largest, tensorScale);
    if (config.grid != 0) grid16Errors(config, x, e, n);
    else minifloatErrors(config, x, e, u, n);
    clearRest(e, n);
    const error = sumSquares(e, n);
    if (i > 0 && !(error < bestError)) continue;
    best = i;
    bestError = error;
  }
  choose(config, best, largest, tensorScale);
}

export function blockGroup(config: Config, x: usize, y: usize, u: usize, n: i32): void {
  if (config.grid != 0) grid16Group(config, x, y, u, n);
  else minifloatGroup(config, x, y, u, n);
}
