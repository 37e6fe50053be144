import type * as vscode from 'vscode';
import { ACTIVATION_CATALOGUE } from '../../formats/activations.js';
import { findFormatEntry } from '../../formats/index.js';
import type { FormatPreset } from '../../jobs/presets.js';
import { RANGE_SEARCHES } from '../../methods/combine.js';
import { METHODS } from '../../methods/index.js';
import { isGroupSize, readSettings } from '../settings.js';

/** What was chosen in "Quantize Layer…". */
export interface FormatChoice {
  /** Catalogue names without group, e.g. "int4-asym". */
  readonly names: readonly string[];
  /** Columns per group, 0 for whole rows. */
  readonly groupSize: number;
}

/** Formats, and what is done with them. */
export interface SchemeChoice extends FormatChoice {
  /** Names of methods, "" for rounding to nearest; at least one. */
  readonly methods: readonly string[];
  /** Names of formats for activations, "" for none; at least one. */
  readonly activations: readonly string[];
  /** Bits per weight to which the group size of every format is chosen, in the place of one size for all. */
  readonly equalBits?: number;
  /** Formats that belong together, in the place of all of this. */
  readonly preset?: FormatPreset;
}

/** How much of a text methods see; of what is absent, as much as each takes by itself. */
export interface CalibrationAmount {
  readonly windows?: number;
  readonly context?: number;
}

/** A remembered value, with the setting it was chosen over. */
interface Remembered<T> {
  readonly value: T;
  readonly setting: string;
}

/** How much of a text was chosen in "Measure Perplexity…". */
export interface WindowsChoice {
  /** Only the first so many windows. */
  readonly windows?: number;
  /** Also with each tensor alone quantized. */
  readonly perLayer: boolean;
}

const FORMATS_KEY = 'quantizeLayer.formats';
const GROUP_SIZE_KEY = 'groupSize';
const TEXT_KEY = 'measurePerplexity.text';
const RECENT_TEXTS_KEY = 'measurePerplexity.recentTexts';
const METHODS_KEY = 'quantizeLayer.methods';
const ACTIVATIONS_KEY = 'quantizeLayer.activations';
const CALIBRATION_TEXT_KEY = 'calibration.text';
const CALIBRATION_AMOUNT_KEY = 'calibration.amount';
const WINDOWS_KEY = 'measurePerplexity.windows';
const MAX_RECENT_TEXTS = 5;

/** A group is chosen apart from the format, also where a setting names one. */
function withoutGroup(name: string): string {
  return name.split(':')[0];
}

/** Remembers formats and group size from one use to the next. A setting changed since wins. */
export class ChoiceMemory {
  constructor(private readonly memento: vscode.Memento) {}

  get formats(): readonly string[] {
    const { formats } = readSettings();
    const names = this.recall<readonly string[]>(FORMATS_KEY, formats) ?? formats;
    return [...new Set(names.flatMap((name) => findFormatEntry(withoutGroup(name))?.name ?? []))];
  }

  /** What the setting names that is no format of the catalogue. */
  get unknownFormats(): readonly string[] {
    return readSettings().formats.filter((name) => !findFormatEntry(withoutGroup(name)));
  }

  get groupSize(): number {
    const { groupSize } = readSettings();
    const remembered = this.recall<number>(GROUP_SIZE_KEY, groupSize);
    return isGroupSize(remembered) ? remembered : groupSize;
  }

  /** Everything that was chosen last. */
  get schemes(): SchemeChoice {
    const known = (key: string, names: readonly string[]) => {
      const kept = this.memento.get<readonly string[]>(key, ['']);
      const found = kept.filter((name) => name === '' || names.includes(name));
      return found.length > 0 ? found : [''];
    };
    return {
      names: this.formats,
      groupSize: this.groupSize,
      methods: known(
        METHODS_KEY,
        [...METHODS, ...RANGE_SEARCHES].map(({ name }) => name),
      ),
      activations: known(
        ACTIVATIONS_KEY,
        ACTIVATION_CATALOGUE.map(({ name }) => name),
      ),
    };
  }

  async rememberSchemes(choice: SchemeChoice): Promise<void> {
    await this.store(FORMATS_KEY, choice.names, readSettings().formats);
    await this.rememberGroupSize(choice.groupSize);
    await this.memento.update(METHODS_KEY, choice.methods);
    await this.memento.update(ACTIVATIONS_KEY, choice.activations);
  }

  async rememberGroupSize(groupSize: number): Promise<void> {
    await this.store(GROUP_SIZE_KEY, groupSize, readSettings().groupSize);
  }

  /** What was chosen last as text: one of the standing choices or a path. */
  get text(): string | undefined {
    return this.recall<string>(TEXT_KEY, readSettings().perplexityText);
  }

  async rememberText(text: string): Promise<void> {
    await this.store(TEXT_KEY, text, readSettings().perplexityText);
  }

  /** Files that perplexity was measured on, the last one first. */
  get recentTexts(): readonly string[] {
    return this.memento.get<readonly string[]>(RECENT_TEXTS_KEY, []);
  }

  async rememberRecentText(file: string): Promise<void> {
    const others = this.recentTexts.filter((each) => each !== file);
    await this.memento.update(RECENT_TEXTS_KEY, [file, ...others].slice(0, MAX_RECENT_TEXTS));
  }

  async forgetRecentText(file: string): Promise<void> {
    const others = this.recentTexts.filter((each) => each !== file);
    await this.memento.update(RECENT_TEXTS_KEY, others);
  }

  /** What was calibrated on last: one of the standing choices or a path. */
  get calibrationText(): string | undefined {
    return this.memento.get<string>(CALIBRATION_TEXT_KEY);
  }

  async rememberCalibrationText(text: string): Promise<void> {
    await this.memento.update(CALIBRATION_TEXT_KEY, text);
  }

  get calibrationAmount(): CalibrationAmount | undefined {
    return this.memento.get<CalibrationAmount>(CALIBRATION_AMOUNT_KEY);
  }

  async rememberCalibrationAmount(amount: CalibrationAmount): Promise<void> {
    await this.memento.update(CALIBRATION_AMOUNT_KEY, amount);
  }

  get windows(): WindowsChoice | undefined {
    return this.memento.get<WindowsChoice>(WINDOWS_KEY);
  }

  async rememberWindows(choice: WindowsChoice): Promise<void> {
    await this.memento.update(WINDOWS_KEY, choice);
  }

  private recall<T>(key: string, setting: unknown): T | undefined {
    const remembered = this.memento.get<Remembered<T>>(key);
    return remembered?.setting === JSON.stringify(setting) ? remembered.value : undefined;
  }

  private async store(key: string, value: unknown, setting: unknown): Promise<void> {
    await this.memento.update(key, { value, setting: JSON.stringify(setting) });
  }
}
