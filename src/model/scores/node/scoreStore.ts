import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, utimes, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScaleDtype } from '../../../formats/types.js';
import { describeSystemError, visible } from '../../../storage/errors.js';
import { readLocalFile } from '../../../storage/node/localFile.js';
import { makeFolder } from '../../../storage/node/makeFolder.js';
import { refuseInputs, refuseSpecial } from '../../../storage/node/outputTarget.js';
import { WHOLE_FILES } from '../../../storage/wholeFiles.js';
import { pruneScores } from './scorePruning.js';
import { BASELINE, type ScoreStore, type WindowScore } from '../../evaluation/types.js';

/** Changes whenever the meaning of a stored line does. */
const STORE_VERSION = 1;
const STORE_SUFFIX = '.scores.jsonl';

/** To append, without waiting for what is no file. */
const APPEND_FLAGS =
  constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | (constants.O_NONBLOCK ?? 0);

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
  /** Hears once, in one line, of a store that cannot be kept. */
  readonly warn: (message: string) => void;
}

/** Says in place of a score how many weights of the model are NaN or infinite. */
const NON_FINITE = 'nonFinite';

/** A line: variant, window, targets, nll, divergence, agreements. Numbers JSON lacks are text. */
type Line = readonly [string, string, ...(number | string)[]];

/** A store's file, and what was in it. */
interface OpenedStore {
  readonly path: string;
  readonly scores: Map<string, WindowScore>;
  readonly windowHashes: readonly string[];
  readonly scaleDtype: ScaleDtype;
  readonly warn: (message: string) => void;
  /** Absent where the folder cannot be used. */
  readonly file: FileHandle | undefined;
  /** True while the file ends within a line. */
  readonly endsInLine: boolean;
  readonly nonFinite: number;
}

/**
 * Scores in a file of JSON lines that is only ever appended to, one for each key. A window is known
 * by a hash of its ids, so that a longer run over the same text finds what a shorter one left.
 * Lines that were half-written, or are none of ours, are passed over.
 */
export class FileScoreStore implements ScoreStore {
  /** Weights of the model that are NaN or infinite, as far as earlier runs said. */
  nonFinite: number;
  private readonly path: string;
  private readonly scores: Map<string, WindowScore>;
  private readonly windowHashes: readonly string[];
  private readonly scaleDtype: ScaleDtype;
  private readonly warn: (message: string) => void;
  private file: FileHandle | undefined;
  private endsInLine: boolean;

  private constructor(opened: OpenedStore) {
    this.path = opened.path;
    this.scores = opened.scores;
    this.windowHashes = opened.windowHashes;
    this.scaleDtype = opened.scaleDtype;
    this.warn = opened.warn;
    this.file = opened.file;
    this.endsInLine = opened.endsInLine;
    this.nonFinite = opened.nonFinite;
  }

  /** Opens or makes the file; a folder that cannot be used is warned of, and scores last for the run. */
  static async open(options: ScoreStoreOptions): Promise<FileScoreStore> {
    const { folder, key, windows, scaleDtype, inputs = [], warn } = options;
    const path = join(folder, hashOf([String(STORE_VERSION), ...key]) + STORE_SUFFIX);
    const scores = new Map<string, WindowScore>();
    let file: FileHandle | undefined;
    let text = '';
    let nonFinite = 0;
    try {
      await makeFolder(folder);
      await refuseSpecial(path);
      await refuseInputs(path, inputs);
      file = await open(path, APPEND_FLAGS);
      text = new TextDecoder().decode(await readLocalFile(path, path, WHOLE_FILES.scores));
      for (const line of text.split('\n')) {
        const parsed = parseLine(line);
        if (typeof parsed === 'number') nonFinite = parsed;
        else if (parsed) scores.set(parsed.name, parsed.score);
      }
      // Pruning goes by the time of the last change, and reading is use.
      const now = new Date();
      await utimes(path, now, now);
      await pruneScores(folder, STORE_SUFFIX, [path, ...inputs]);
    } catch (error) {
      warn(unusable(folder, error));
      await file?.close().catch(() => undefined);
      file = undefined;
    }
    const endsInLine = text !== '' && !text.endsWith('\n');
    return new FileScoreStore({
      path,
      scores,
      windowHashes: windows.map(windowHash),
      scaleDtype,
      warn,
      file,
      endsInLine,
      nonFinite,
    });
  }

  get(variant: string, window: number): WindowScore | undefined {
    return this.scores.get(scoreName(this.nameOf(variant), this.windowHashes[window]));
  }

  async put(
    scores: readonly { variant: string; window: number; score: WindowScore }[],
  ): Promise<void> {
    let text = '';
    for (const { variant, window, score } of scores) {
      const name = this.nameOf(variant);
      const hash = this.windowHashes[window];
      this.scores.set(scoreName(name, hash), score);
      text += `${JSON.stringify(lineOf(name, hash, score))}\n`;
    }
    await this.append(text);
  }

  /** Keeps what a run that reads no weights could not tell. */
  async putNonFinite(count: number): Promise<void> {
    if (count === this.nonFinite) return;
    this.nonFinite = count;
    await this.append(`${JSON.stringify([NON_FINITE, count])}\n`);
  }

  private async append(text: string): Promise<void> {
    if (!this.file || text === '') return;
    try {
      await this.file.appendFile(this.endsInLine ? `\n${text}` : text);
      await this.file.datasync();
      this.endsInLine = false;
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

  private nameOf(variant: string): string {
    return variant === BASELINE ? BASELINE : `${this.scaleDtype} ${variant}`;
  }
}

function unusable(path: string, error: unknown): string {
  return `${visible(path)}: scores cannot be kept for later runs: ${describeSystemError(error)}`;
}

/** A short name of a list of texts; different lists have different names. */
export function hashOf(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part;
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest('hex').slice(0, 32);
}

function windowHash(ids: Int32Array): string {
  return hashOf([new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength)]);
}

function scoreName(variant: string, hash: string): string {
  return `${hash} ${variant}`;
}

function lineOf(name: string, hash: string, score: WindowScore): Line {
  const { targets, nll, divergence, agreements } = score;
  const numbers = [targets, nll, divergence, agreements];
  return [name, hash, ...numbers.map((each) => (Number.isFinite(each) ? each : String(each)))];
}

/** A score, or a number of non-finite weights. */
function parseLine(line: string): { name: string; score: WindowScore } | number | undefined {
  let values: unknown;
  try {
    values = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!Array.isArray(values)) return undefined;
  if (values.length === 2 && values[0] === NON_FINITE && Number.isSafeInteger(values[1])) {
    return values[1] as number;
  }
  if (values.length !== 6) return undefined;
  const [variant, hash, ...rest] = values as unknown[];
  if (typeof variant !== 'string' || typeof hash !== 'string') return undefined;
  const numbers = rest.map(readNumber);
  if (numbers.includes(undefined)) return undefined;
  const [targets, nll, divergence, agreements] = numbers as number[];
  const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0;
  if (!isCount(targets) || targets === 0 || !isCount(agreements) || agreements > targets) {
    return undefined;
  }
  const score: WindowScore = { targets, nll, divergence, agreements };
  return { name: scoreName(variant, hash), score };
}

function readNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity'
    ? Number(value)
    : undefined;
}
