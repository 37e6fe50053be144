import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScaleDtype } from '../../../formats/types.js';
import { describeSystemError } from '../../../storage/describeError.js';
import { visible } from '../../../storage/errors.js';
import { refuseInputs } from '../../../storage/node/outputTarget.js';
import { BASELINE, type ScoreStore, type WindowScore } from '../../evaluation/types.js';
import { hashOf } from './hashOf.js';
import { openScoreFile } from './scoreFile.js';
import { readLine, writeLine, type StoredScore } from './scoreLines.js';
import { pruneScores } from './scorePruning.js';

/** Changes whenever the meaning of a stored line does. */
const STORE_VERSION = 3;
const STORE_SUFFIX = '.scores.jsonl';

export interface ScoreStoreOptions {
  readonly folder: string;
  /** Everything that a score depends on beside variant and window: model, program, backend. */
  readonly key: readonly string[];
  /** The windows that are scored, by index. */
  readonly windows: readonly Int32Array[];
  /** Type that variants' scales are rounded to; the unquantized model has none. */
  readonly scaleDtype: ScaleDtype;
  /** Files that the job reads: none of them is written to or removed. */
  readonly inputs?: readonly string[];
  /** Hears, in one line each, of a store that cannot be kept and of damaged scores. */
  readonly warn: (message: string) => void;
}

/**
 * Scores in a file of JSON lines that is only ever appended to, one for each key. A window is known
 * by a hash of its ids, so that a longer run over the same text finds what a shorter one left. Each
 * line has a checksum: what is damaged, half-written or none of ours counts as not there.
 */
export class FileScoreStore implements ScoreStore {
  /** Weights of the model that are NaN or infinite; undefined while there is no score. */
  nonFinite: number | undefined;
  private readonly fileKey: string;
  private readonly path: string;
  private readonly scores = new Map<string, WindowScore>();
  private readonly windowHashes: readonly string[];
  private readonly scaleDtype: ScaleDtype;
  private readonly warn: (message: string) => void;
  /** Absent where the folder cannot be used. */
  private file: FileHandle | undefined;

  private constructor({ folder, key, windows, scaleDtype, warn }: ScoreStoreOptions) {
    this.fileKey = hashOf([String(STORE_VERSION), ...key]);
    this.path = join(folder, this.fileKey + STORE_SUFFIX);
    this.windowHashes = windows.map(windowHash);
    this.scaleDtype = scaleDtype;
    this.warn = warn;
  }

  /** Opens or makes the file; a folder that cannot be used is warned of, and scores last for the run. */
  static async open(options: ScoreStoreOptions): Promise<FileScoreStore> {
    const { folder, inputs = [] } = options;
    const store = new FileScoreStore(options);
    try {
      await refuseInputs(store.path, inputs);
      await store.read();
      await pruneScores(folder, STORE_SUFFIX, [store.path, ...inputs]);
    } catch (error) {
      options.warn(unusable(store.path, error));
      await store.close();
    }
    return store;
  }

  private async read(): Promise<void> {
    const { path, warn } = this;
    const wanted = new Set(this.windowHashes);
    const opened = await openScoreFile(path, (line) => {
      const entry = readLine(this.fileKey, line);
      if (!entry) return false;
      this.nonFinite = entry.nonFinite;
      if (wanted.has(entry.window)) {
        this.scores.set(scoreName(entry.variant, entry.window), entry.score);
      }
      return true;
    });
    this.file = opened.handle;
    if (opened.wasTooLarge) {
      warn(`${visible(path)}: this file of kept scores had grown too large and is started again`);
    }
    const { damaged } = opened;
    if (damaged > 0) {
      const lines = damaged === 1 ? '1 line is' : `${damaged} lines are`;
      warn(
        `${visible(path)}: ${lines} damaged in this file of kept scores; what is missing is computed again`,
      );
    }
  }

  get(variant: string, window: number): WindowScore | undefined {
    return this.scores.get(scoreName(this.nameOf(variant), this.windowHashes[window]));
  }

  async put(
    scores: readonly { variant: string; window: number; score: WindowScore }[],
    nonFinite = 0,
  ): Promise<void> {
    this.nonFinite = nonFinite;
    const entries = scores.map(({ variant, window, score }) => ({
      variant: this.nameOf(variant),
      window: this.windowHashes[window],
      score,
      nonFinite,
    }));
    for (const { variant, window, score } of entries) {
      this.scores.set(scoreName(variant, window), score);
    }
    await this.append(entries);
  }

  private async append(entries: readonly StoredScore[]): Promise<void> {
    if (!this.file || entries.length === 0) return;
    try {
      const lines = entries.map((entry) => `${writeLine(this.fileKey, entry)}\n`);
      await this.file.appendFile(lines.join(''));
      await this.file.datasync();
    } catch (error) {
      this.warn(unusable(this.path, error));
      await this.close();
    }
  }

  async close(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    await file?.close().catch(() => undefined);
  }

  /** Of one length, however long the names of tensors are. */
  private nameOf(variant: string): string {
    return variant === BASELINE ? BASELINE : hashOf([this.scaleDtype, variant]);
  }
}

function unusable(path: string, error: unknown): string {
  return `${visible(path)}: scores cannot be kept for later runs: ${describeSystemError(error)}`;
}

function windowHash(ids: Int32Array): string {
  return hashOf([new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength)]);
}

function scoreName(variant: string, hash: string): string {
  return `${hash} ${variant}`;
}
