import * as vscode from 'vscode';
import type { ScaleDtype } from '../formats/index.js';

/** The user's settings, checked: what settings.json holds may be anything. */
export interface Settings {
  /** Worker threads; undefined for as many as suit the machine. */
  readonly threads: number | undefined;
  /** Columns per group, 0 for whole rows. */
  readonly groupSize: number;
  /** Format names of the catalogue, as written. */
  readonly formats: readonly string[];
  readonly scaleDtype: ScaleDtype;
  /** File that perplexity is measured on, as written; "" for none. */
  readonly perplexityText: string;
  /** Bytes for hidden states while a model runs. */
  readonly memoryBudgetBytes: number;
  readonly backend: 'auto' | 'wasm' | 'webgpu';
  /** Folder of the npm package `webgpu`; undefined for none. */
  readonly webgpuPackage: string | undefined;
}

const SCALE_DTYPES: readonly unknown[] = ['f16', 'bf16', 'f32'] satisfies ScaleDtype[];
const DEFAULT_GROUP_SIZE = 128;
const MEBIBYTE = 1024 * 1024;
const DEFAULT_MEMORY_BUDGET = 256;

function isWhole(value: unknown, least: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

/** True for a number of columns that may form a group, or 0 for whole rows. */
export function isGroupSize(value: unknown): value is number {
  return value === 0 || (isWhole(value, 2) && value < 1e9);
}

/** Reads the settings as they are now. */
export function readSettings(): Settings {
  const configuration = vscode.workspace.getConfiguration('quantscope');
  const threads = configuration.get<unknown>('threads');
  const groupSize = configuration.get<unknown>('groupSize');
  const formats = configuration.get<unknown>('formats');
  const scaleDtype = configuration.get<unknown>('scaleDtype');
  const perplexityText = configuration.get<unknown>('perplexityText');
  const memoryBudget = configuration.get<unknown>('memoryBudget');
  const backend = configuration.get<unknown>('backend');
  const webgpuPackage = configuration.get<unknown>('webgpuPackage');
  return {
    threads: isWhole(threads, 1) ? threads : undefined,
    groupSize: isGroupSize(groupSize) ? groupSize : DEFAULT_GROUP_SIZE,
    formats: Array.isArray(formats)
      ? formats.filter((name): name is string => typeof name === 'string')
      : [],
    scaleDtype: SCALE_DTYPES.includes(scaleDtype) ? (scaleDtype as ScaleDtype) : 'f16',
    perplexityText: typeof perplexityText === 'string' ? perplexityText.trim() : '',
    memoryBudgetBytes: (isWhole(memoryBudget, 1) ? memoryBudget : DEFAULT_MEMORY_BUDGET) * MEBIBYTE,
    backend: backend === 'wasm' || backend === 'webgpu' ? backend : 'auto',
    webgpuPackage: (typeof webgpuPackage === 'string' && webgpuPackage.trim()) || undefined,
  };
}
