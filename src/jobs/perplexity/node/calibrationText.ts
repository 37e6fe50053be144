import { join, resolve } from 'node:path';
import { WindowError } from '../../../model/text/windows.js';
import type { LanguageModel } from '../../../model/evaluation/types.js';
import type { Host } from '../../../host/host.js';
import { visible } from '../../../storage/errors.js';
import type { FileSystem } from '../../../storage/fileSystem.js';
import { localFileSystem } from '../../../storage/node/localFileSystem.js';
import type { PerplexitySettings } from '../measurement.js';
import { readWindows } from './evaluationText.js';

const OWN_TEXT = 'calibration.txt';
/** Tokens in a row that two texts share only where one was copied from the other. */
const RUN = 24;

/** A text that is scored. */
export interface ScoredText {
  /** Token ids. */
  readonly windows: readonly Int32Array[];
  /** Path of the text that they come from. */
  readonly source: string;
}

export interface CalibrationTextSetup {
  readonly pool: { readonly host: Host };
  readonly model: LanguageModel;
  readonly settings: Pick<PerplexitySettings, 'calibration' | 'bosEveryWindow'>;
  /** What will be scored, if anything is: calibration keeps away from it. */
  readonly evaluated?: ScoredText;
  readonly files: FileSystem;
}

/** Windows of a calibration text. */
export interface CalibrationWindows {
  readonly windows: readonly Int32Array[];
  /** Path of the text. */
  readonly source: string;
}

/** The calibration text in a model's folder, if there is one. */
export async function findOwnCalibrationText(folder: string): Promise<string | undefined> {
  const path = join(folder, OWN_TEXT);
  return (await localFileSystem.kind(path)) === 'file' ? path : undefined;
}

/** The text that methods are calibrated on; never the one that is scored. */
export class CalibrationText {
  /** What a reader of numbers must know of it. */
  readonly notes: string[] = [];
  private readonly known = new Map<string, Promise<CalibrationWindows>>();

  constructor(
    private readonly setup: CalibrationTextSetup,
    private readonly signal?: AbortSignal,
  ) {}

  /**
   * The windows for a method, by what it takes unless the user asks for others.
   * @param own tokens of a window that the method itself asks for; there are then as many windows as make the
   *   same number of tokens
   * @throws an Error of one line that names the file at fault
   */
  windowsFor(
    usual: { readonly windows: number; readonly context: number },
    own?: number,
  ): Promise<CalibrationWindows> {
    const asked = this.setup.settings.calibration ?? {};
    const context = own ?? asked.context ?? usual.context;
    const wanted = asked.windows ?? usual.windows;
    const { maxPositions } = this.setup.model.plan;
    const usualContext = asked.context ?? Math.min(usual.context, maxPositions);
    const windows =
      own === undefined ? wanted : Math.max(1, Math.round((wanted * usualContext) / own));
    const key = `${windows} ${context}`;
    let known = this.known.get(key);
    if (!known) {
      const isAsked = own !== undefined || asked.context !== undefined;
      this.known.set(key, (known = this.read(windows, context, isAsked)));
    }
    return known;
  }

  private async read(wanted: number, asked: number, isAsked: boolean): Promise<CalibrationWindows> {
    const { pool, model, settings, evaluated, files } = this.setup;
    const { textFile, seed } = settings.calibration ?? {};
    const { maxPositions } = model.plan;
    const context = isAsked ? asked : Math.min(asked, maxPositions);
    const own = join(model.opened.folder, OWN_TEXT);
    const source =
      textFile ??
      ((await files.kind(own)) === undefined
        ? pool.host.assets.path('sample calibration text')
        : own);
    if (evaluated && resolve(source) === resolve(evaluated.source)) {
      throw new Error(
        `${visible(source)}: this text is scored, so it cannot be calibrated on as well`,
      );
    }
    const request = {
      textFile: source,
      context,
      windows: seed === undefined ? wanted : undefined,
      bosEveryWindow: settings.bosEveryWindow,
    };
    const { windows } = await readWindows(pool.host, model, request, this.signal, files);
    const ids = seed === undefined ? windows.ids : draw(windows.ids, wanted, seed);
    if (evaluated) this.checkOverlap(ids, source, evaluated.windows);
    if (ids.length < wanted) {
      this.notes.push(
        `${source} has ${ids.length} windows of ${context} tokens for calibration where ${wanted} were wanted.`,
      );
    }
    return { windows: ids, source };
  }

  /** @throws where the calibration text is the scored text */
  private checkOverlap(
    windows: readonly Int32Array[],
    source: string,
    evaluated: readonly Int32Array[],
  ): void {
    const scored = [...runsOf(joined(evaluated))];
    const seen = [...runsOf(joined(windows))];
    const share = shareOf(seen, new Set(scored));
    if (share === 0) return;
    if (share > 0.5 || shareOf(scored, new Set(seen)) > 0.5) {
      const detail =
        share > 0.5
          ? 'this calibration text is, for the greater part, in the text that is scored'
          : 'the text that is scored is, for the greater part, in this calibration text';
      throw new Error(`${visible(source)}: ${detail}`, { cause: new WindowError(detail) });
    }
    this.notes.push(
      `${(share * 100).toFixed(share < 0.01 ? 2 : 0)} % of the calibration text is in the text that is scored: perplexities of calibrated methods are too good.`,
    );
  }
}

/** Windows as one text, which they mostly were: a run may go from one to the next. */
function joined(windows: readonly Int32Array[]): Int32Array {
  const ids = new Int32Array(windows.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const window of windows) {
    ids.set(window, at);
    at += window.length;
  }
  return ids;
}

/** The share of runs that are among others. */
function shareOf(runs: readonly bigint[], others: ReadonlySet<bigint>): number {
  return runs.filter((run) => others.has(run)).length / runs.length;
}

/**
 * Every run of {@link RUN} tokens, as a number that equal runs share and, in 61 bits, no others do that a text
 * could have; the ids of a shorter text as one.
 */
function* runsOf(ids: Int32Array): Generator<bigint> {
  const length = Math.min(RUN, ids.length);
  // A rolling hash modulo a prime.
  const base = 1_000_003n;
  const modulus = (1n << 61n) - 1n;
  const highest = base ** BigInt(length - 1) % modulus;
  let hash = 0n;
  for (let i = 0; i < ids.length; i++) {
    const left = i >= length ? (BigInt(ids[i - length]) * highest) % modulus : 0n;
    hash = ((hash - left + modulus) * base + BigInt(ids[i])) % modulus;
    if (i >= length - 1) yield hash;
  }
}

/** Some windows of a text, by a seed, in their order. */
function draw(windows: readonly Int32Array[], wanted: number, seed: number): readonly Int32Array[] {
  const places = [...windows.keys()];
  // Its state is never 0.
  let state = (seed + 1) >>> 0;
  for (let i = places.length - 1; i > 0; i--) {
    // xorshift32
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    const j = state % (i + 1);
    [places[i], places[j]] = [places[j], places[i]];
  }
  return places
    .slice(0, wanted)
    .sort((a, b) => a - b)
    .map((place) => windows[place]);
}
