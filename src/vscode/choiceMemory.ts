import type * as vscode from 'vscode';
import { findFormatEntry } from '../formats/index.js';
import { isGroupSize, readSettings } from './settings.js';

/** What was chosen in "Quantize Layer…". */
export interface FormatChoice {
  /** Catalogue names without group, e.g. "int4-asym". */
  readonly names: readonly string[];
  /** Columns per group, 0 for whole rows. */
  readonly groupSize: number;
}

/** A remembered value, with the setting it was chosen over. */
interface Remembered<T> {
  readonly value: T;
  readonly setting: string;
}

const FORMATS_KEY = 'quantizeLayer.formats';
const GROUP_SIZE_KEY = 'groupSize';

/** Remembers formats and group size from one use to the next. A setting changed since wins. */
export class ChoiceMemory {
  constructor(private readonly memento: vscode.Memento) {}

  get formats(): readonly string[] {
    const { formats } = readSettings();
    const names = this.recall<readonly string[]>(FORMATS_KEY, formats) ?? formats;
    const known = names.flatMap((name) => findFormatEntry(name.split(/[:+]/)[0])?.name ?? []);
    return [...new Set(known)];
  }

  get groupSize(): number {
    const { groupSize } = readSettings();
    const remembered = this.recall<number>(GROUP_SIZE_KEY, groupSize);
    return isGroupSize(remembered) ? remembered : groupSize;
  }

  async remember(choice: FormatChoice): Promise<void> {
    await this.store(FORMATS_KEY, choice.names, readSettings().formats);
    await this.rememberGroupSize(choice.groupSize);
  }

  async rememberGroupSize(groupSize: number): Promise<void> {
    await this.store(GROUP_SIZE_KEY, groupSize, readSettings().groupSize);
  }

  private recall<T>(key: string, setting: unknown): T | undefined {
    const remembered = this.memento.get<Remembered<T>>(key);
    return remembered?.setting === JSON.stringify(setting) ? remembered.value : undefined;
  }

  private async store(key: string, value: unknown, setting: unknown): Promise<void> {
    await this.memento.update(key, { value, setting: JSON.stringify(setting) });
  }
}
