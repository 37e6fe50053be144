import { parseFormat } from '../../formats/index.js';
import { makeModelTitle } from '../../reports/modelTitle.js';
import type { ComparisonReport } from '../../reports/reports.js';
import type { ChoiceMemory } from '../picks/choiceMemory.js';
import type { ComparisonPanels } from '../comparison/comparisonPanels.js';
import type { ComparisonRequest } from '../comparison/comparisonRequest.js';
import { formatWithGroup } from '../picks/formatName.js';
import { pickFormats } from '../picks/formatPick.js';
import type { ModelSnapshot } from '../modelSnapshot.js';
import { selectTensors, readTarget } from './quantizeTarget.js';
import type { QuantizeTarget, Selection } from './quantizeTarget.js';
import type { SafetensorsEditorProvider } from '../editor/safetensorsEditorProvider.js';
import { readSettings } from '../settings.js';

/** "Quantize Layer…" and "Compare Formats": from a command's argument to a comparison panel. */
export class QuantizeCommands {
  constructor(
    private readonly editors: SafetensorsEditorProvider,
    private readonly panels: ComparisonPanels,
    private readonly memory: ChoiceMemory,
  ) {}

  /**
   * Asks for formats and group size, then compares. An argument that names formats is asked nothing,
   * and the caller gets the report, or the error.
   */
  async quantizeLayer(argument: unknown): Promise<ComparisonReport | undefined> {
    return this.run(argument, (selection) => this.ask(selection));
  }

  /** Compares in the formats chosen last, or those of the settings, without asking. */
  async compareFormats(argument: unknown): Promise<ComparisonReport | undefined> {
    return this.run(argument, async (selection) => {
      const { formats, groupSize } = this.memory;
      if (formats.length === 0) return this.ask(selection);
      return formats.map((name) => formatWithGroup(name, groupSize).id);
    });
  }

  private async ask(selection: Selection): Promise<readonly string[] | undefined> {
    const before = { names: this.memory.formats, groupSize: this.memory.groupSize };
    const choice = await pickFormats(selection, before, readSettings().scaleDtype);
    if (!choice) return undefined;
    await this.memory.remember(choice);
    return choice.names.map((name) => formatWithGroup(name, choice.groupSize).id);
  }

  private async run(
    argument: unknown,
    chooseFormats: (selection: Selection) => Promise<readonly string[] | undefined>,
  ): Promise<ComparisonReport | undefined> {
    let request: ComparisonRequest | undefined;
    let asked = true;
    try {
      const target = readTarget(argument, this.editors);
      asked = target.formats === undefined;
      const opened = await this.editors.snapshot(target.resource);
      request = await this.request(target, opened, chooseFormats);
      return request && (await this.panels.compare(request, opened));
    } catch (error) {
      if (!asked) throw error;
      this.panels.tell(error, request);
      return undefined;
    }
  }

  private async request(
    target: QuantizeTarget,
    { model }: ModelSnapshot,
    chooseFormats: (selection: Selection) => Promise<readonly string[] | undefined>,
  ): Promise<ComparisonRequest | undefined> {
    const selection = selectTensors(model, target);
    const formats =
      target.formats?.map((name) => parseFormat(name).id) ?? (await chooseFormats(selection));
    return (
      formats && {
        resource: target.resource.toString(),
        modelName: makeModelTitle(target.resource.path),
        scope: selection.scope,
        tensors: selection.whole ? undefined : selection.tensors.map(({ name }) => name),
        formats: [...new Set(formats)],
        scaleDtype: readSettings().scaleDtype,
      }
    );
  }
}
