import { join } from 'node:path';
import { WindowError } from '../../../model/text/windows.js';
import type { LanguageModel } from '../../../model/evaluation/types.js';
import type { Host } from '../../../host/host.js';
import { visible } from '../../../storage/errors.js';
import type { FileSystem } from '../../../storage/fileSystem.js';
import type { PerplexitySettings } from '../measurement.js';
import { readWindows } from './evaluationText.js';

const OWN_TEXT = 'calibration.txt';
/** Tokens in a row that two texts share only where one was copied from the other. */
const RUN = 24;

export interface CalibrationTextSetup {
  readonly pool: { readonly host: Host };
  readonly model: LanguageModel;
  readonly settings: PerplexitySettings;
  /** Token ids that will be scored. */
  readonly evaluated: readonly Int32Array[];
  /** Path of the text that they come from. */
  readonly evaluationText: string;
  readonly files: FileSystem;
}

/** Windows of a calibration text. */
export interface CalibrationWindows {
  readonly windows: readonly Int32Array[];
  /** Path of the text. */
  readonly source: string;
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
   * @throws an Error of one line that names the file at fault
   */
  windowsFor(usual: {
    readonly windows: number;
    readonly context: number;
  }): Promise<CalibrationWindows> {
    const { windows = usual.windows, context = usual.context } =
      this.setup.settings.calibration ?? {};
    const key = `${windows} ${context}`;
    let known = this.known.get(key);
    if (!known) this.known.set(key, (known = this.read(windows, context)));
    return known;
  }

  private async read(wanted: number, asked: number): Promise<CalibrationWindows> {
    const { pool, model, settings, evaluationText, files } = this.setup;
    const { textFile, seed, context: isAsked } = settings.calibration ?? {};
    const { maxPositions } = model.plan;
    const context = isAsked ? asked : Math.min(asked, maxPositions);
    const own = join(model.opened.folder, OWN_TEXT);
    const source =
      textFile ??
      ((await files.kind(own)) === undefined
        ? pool.host.assets.path('sample calibration text')
        : own);
    if (source === evaluationText) {
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
    this.checkOverlap(ids, source);
    if (ids.length < wanted) {
      this.notes.push(
        `${source} has ${ids.length} windows of ${context} tokens for calibration where ${wanted} were wanted.`,
      );
    }
    return { windows: ids, source };
  }

  /** @throws where the calibration text is the scored text */
  private checkOverlap(windows: readonly Int32Array[], source: string): void {
    const scored = new Set(this.setup.evaluated.flatMap((ids) => [...runsOf(ids)]));
    let runs = 0;
    let shared = 0;
    for (const ids of windows) {
      for (const run of runsOf(ids)) {
        runs++;
        if (scored.has(run)) shared++;
      }
    }
    if (shared === 0) return;
    const share = shared / runs;
    if (share > 0.5) {
      const detail = 'this calibration text is, for the greater part, in the text that is scored';
      throw new Error(`${visible(source)}: ${detail}`, { cause: new WindowError(detail) });
    }
    this.notes.push(
      `${(share * 100).toFixed(share < 0.01 ? 2 : 0)} % of the calibration text is in the text that is scored: perplexities of calibrated methods are too good.`,
    );
  }
}

/**
 * Every run of {@link RUN} tokens, as a number that equal runs share and, in 61 bits, no others do that a text
 * could have; ids of short windows as one.
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
