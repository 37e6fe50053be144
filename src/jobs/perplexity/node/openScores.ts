import type { OpenedModel } from '../../../checkpoint/types.js';
import type { TaskMachine } from '../../../compute/taskMachine.js';
import type { ScaleDtype } from '../../../formats/index.js';
import { fingerprintModel } from '../../../model/scores/node/fingerprint.js';
import { FileScoreStore } from '../../../model/scores/node/scoreStore.js';

/** What scores are of. */
export interface Scored {
  readonly model: OpenedModel;
  readonly windows: readonly Int32Array[];
  readonly scaleDtype: ScaleDtype;
  /** Files that the job reads. */
  readonly inputs: readonly string[];
}

/**
 * The store of a model's scores, which are those of a program and a backend as well.
 * @returns undefined where none is wanted, or a change of the model could not be noticed
 */
export async function openScores(
  machine: TaskMachine,
  { model, windows, scaleDtype, inputs }: Scored,
  folder: string | undefined,
  warn: (message: string) => void,
): Promise<FileScoreStore | undefined> {
  if (!folder) return undefined;
  const fingerprint = await fingerprintModel(model);
  if (!fingerprint) return undefined;
  const key = [fingerprint, await machine.host.assets.programHash(), machine.arithmetic];
  return FileScoreStore.open({ folder, key, windows, scaleDtype, inputs, warn });
}
