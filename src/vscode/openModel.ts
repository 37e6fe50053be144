import type * as vscode from 'vscode';
import { describeCheckpoint } from '../jobs/inspect.js';
import type { CheckpointReport } from '../jobs/reports.js';
import { openCheckpoint } from '../safetensors/index.js';
import type { Checkpoint } from '../safetensors/index.js';
import { openVirtualCheckpoint } from './virtualCheckpoint.js';

/** A model as read: where its weights are, and what the list shows of it. */
export interface OpenModel {
  readonly checkpoint: Checkpoint;
  readonly report: CheckpointReport;
}

/**
 * Opens the model at a URI; of files on a local disk only headers are read, and none stays open.
 * @throws CheckpointError with one line that names file, place and rule
 */
export async function openModel(uri: vscode.Uri): Promise<OpenModel> {
  const checkpoint =
    uri.scheme === 'file' ? await openCheckpoint(uri.fsPath) : await openVirtualCheckpoint(uri);
  return { checkpoint, report: await describeCheckpoint(checkpoint) };
}
