import { findModelFiles } from '../../../checkpoint/node/modelFiles.js';
import type { OpenedModel } from '../../../checkpoint/types.js';
import type { WorkerPool } from '../../../compute/workerPool.js';
import { encodeImatrix } from '../../../gguf/imatrixBytes.js';
import type { ImportanceEntry } from '../../../gguf/imatrix.js';
import { findExpertSquares, type ExpertSquares } from '../../../model/calibration/expertSquares.js';
import { findInputSquares } from '../../../model/calibration/inputSquares.js';
import { planLanguageModel } from '../../../model/config/languageModel.js';
import { hasExperts } from '../../../model/evaluation/routedStates.js';
import type { ImatrixReport } from '../../../reports/reports.js';
import type { CallOptions } from '../../../rpc/rpc.js';
import { listQuoted } from '../../../storage/errors.js';
import { recordInputs, refuseChanged, type InputState } from '../../../storage/inputs.js';
import { writeAtomically } from '../../../storage/node/atomicFile.js';
import { localFileSystem } from '../../../storage/node/localFileSystem.js';
import { CalibrationText } from '../../perplexity/node/calibrationText.js';
import { DEFAULT_MEMORY_BUDGET, type CalibrationSettings } from '../../perplexity/measurement.js';
import { expertEntries } from '../expertEntries.js';
import { imatrixName } from '../names.js';

/** Windows and their tokens, unless the user asks for others: those of the method of this name. */
const USUAL = { windows: 64, context: 256 };

export interface ImatrixRequest {
  readonly calibration: CalibrationSettings;
  /** File that is written. */
  readonly out: string;
  readonly memoryBudgetBytes?: number;
}

/**
 * Gathers mean squares of the inputs of a model's linear maps on a text, and writes them as an importance
 * matrix of llama.cpp, whole or not at all.
 * @throws an Error of one line that names the file at fault; an AbortError when cancelled
 */
export async function writeImatrix(
  pool: WorkerPool,
  opened: OpenedModel,
  { calibration, out, memoryBudgetBytes = DEFAULT_MEMORY_BUDGET }: ImatrixRequest,
  options: CallOptions = {},
): Promise<ImatrixReport> {
  const begin = performance.now();
  const { signal, onProgress } = options;
  const plain = await planLanguageModel(opened);
  const modelInputs = new Map<string, InputState>(opened.inputs);
  const textInputs = new Map<string, InputState>();
  const fileSystem = recordInputs(opened.fileSystem, modelInputs);
  const model = { ...plain, opened: { ...opened, fileSystem } };
  onProgress?.({ done: 0, total: 1, message: 'Tokenizing' });
  const files = recordInputs(localFileSystem, textInputs);
  const text = new CalibrationText({ pool, model, settings: { calibration }, files }, signal);
  const { windows, source } = await text.windowsFor(USUAL);
  const settings = { scaleDtype: 'f16', memoryBudgetBytes } as const;
  const squares = await findInputSquares({ pool, model: plain, windows, settings }, options);
  const entries = new Map<string, ImportanceEntry>();
  const unnamed: string[] = [];
  for (const [tensor, { sums, rows }] of squares) {
    const name = imatrixName(tensor);
    if (name === undefined) unnamed.push(tensor);
    else {
      entries.set(name, {
        inputs: sums.length,
        matrices: 1,
        sums: Float32Array.from(sums),
        counts: Float32Array.of(rows),
      });
    }
  }
  let ofExperts: readonly ExpertSquares[] = [];
  if (hasExperts(plain.plan)) {
    const walk = {
      pool,
      model: plain,
      windows,
      scaleDtype: 'f16' as const,
      tensors: new Set<string>(),
    };
    ofExperts = await findExpertSquares(walk, options);
    for (const [name, entry] of expertEntries(ofExperts)) entries.set(name, entry);
  }
  if (entries.size === 0) {
    throw new Error(`${opened.path}: llama.cpp's names of ${listQuoted(unnamed)} are not known`);
  }
  const chunkSize = windows.reduce((most, { length }) => Math.max(most, length), 0);
  const chunkCount = windows.length;
  const parts = encodeImatrix({ datasets: [source], chunkCount, chunkSize, entries });
  const inputs = [...modelInputs.keys(), ...textInputs.keys()];
  const write = {
    signal,
    inputs: [...inputs, ...(await findModelFiles(opened.path))],
    async beforeRename() {
      await refuseChanged(modelInputs, opened.fileSystem);
      await refuseChanged(textInputs, localFileSystem);
    },
  };
  await writeAtomically(out, write, async (append) => {
    for (const part of parts) await append(part);
  });
  return {
    output: out,
    text: source,
    entries: entries.size,
    windows: chunkCount,
    context: chunkSize,
    tokens: windows.reduce((sum, { length }) => sum + length, 0),
    seconds: (performance.now() - begin) / 1000,
    notes: [...text.notes, ...notesOf(unnamed, ofExperts)],
  };
}

function notesOf(unnamed: readonly string[], squares: readonly ExpertSquares[]): string[] {
  const notes: string[] = [];
  if (unnamed.length > 0) {
    notes.push(`Left out, since llama.cpp's names of them are not known: ${listQuoted(unnamed)}.`);
  }
  const unseen = squares.filter(({ rows, site }) => rows === 0 && site === 'down');
  if (unseen.length > 0) {
    const names = unseen.map(({ block, expert }) => `block ${block}, expert ${expert}`);
    notes.push(`No token of the text was routed to ${listQuoted(names)}: count 0.`);
  }
  return notes;
}
