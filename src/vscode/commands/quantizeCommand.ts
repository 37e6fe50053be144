import type { OpenedModel } from '../../checkpoint/types.js';
import { parseScheme } from '../../methods/schemes.js';
import { makeModelTitle } from '../../reports/modelTitle.js';
import type { ComparisonReport } from '../../reports/reports.js';
import type { ComparisonRequest } from '../comparison/comparisonRequest.js';
import { formatWithGroup } from '../picks/formatName.js';
import { selectionTitle } from '../picks/schemePick.js';
import { askSchemes, type AskedSchemes } from './askSchemes.js';
import type { CommandServices } from './commands.js';
import type { ModelSnapshot } from '../modelSnapshot.js';
import { selectTensors, readTarget } from './quantizeTarget.js';
import type { QuantizeTarget, Selection } from './quantizeTarget.js';
import { readSettings } from '../settings.js';

/** What is compared, and what methods see. */
type Chosen = Pick<AskedSchemes, 'formats' | 'calibration'>;
type Choose = (selection: Selection, model: OpenedModel) => Promise<Chosen | undefined>;

/** "Quantize Layer…" and "Compare Formats": from a command's argument to a comparison panel. */
export class QuantizeCommands {
  constructor(private readonly services: CommandServices) {}

  /**
   * Asks for formats and group size, then compares. An argument that names formats is asked nothing,
   * and the caller gets the report, or the error.
   */
  async quantizeLayer(argument: unknown): Promise<ComparisonReport | undefined> {
    return this.run(argument, (selection, model) => this.ask(selection, model));
  }

  /** Compares in the formats chosen last, or those of the settings, without asking. */
  async compareFormats(argument: unknown): Promise<ComparisonReport | undefined> {
    return this.run(argument, async (selection, model) => {
      const { formats, groupSize } = this.services.memory;
      if (formats.length === 0) return this.ask(selection, model);
      return { formats: formats.map((name) => formatWithGroup(name, groupSize).id) };
    });
  }

  private ask(selection: Selection, model: OpenedModel): Promise<Chosen | undefined> {
    const title = selectionTitle(selection);
    return askSchemes(this.services, model, { title, selection, further: 0, allowNone: false });
  }

  private async run(argument: unknown, choose: Choose): Promise<ComparisonReport | undefined> {
    let request: ComparisonRequest | undefined;
    let asked = true;
    try {
      const { editors } = this.services;
      const target = readTarget(argument, editors);
      asked = target.formats === undefined;
      const opened = await editors.snapshot(target.resource);
      request = await this.request(target, opened, choose);
      if (request && asked) {
        request = this.services.panels.withShown(request, target.comparison);
      }
      return request && (await this.services.panels.compare(request, opened));
    } catch (error) {
      if (!asked) throw error;
      this.services.panels.tell(error, request);
      return undefined;
    }
  }

  private async request(
    target: QuantizeTarget,
    { model }: ModelSnapshot,
    choose: Choose,
  ): Promise<ComparisonRequest | undefined> {
    const selection = selectTensors(model, target);
    const chosen = target.formats
      ? { formats: target.formats.map((name) => parseScheme(name).id) }
      : await choose(selection, model);
    return (
      chosen && {
        resource: target.resource.toString(),
        modelName: makeModelTitle(target.resource.path),
        scope: selection.scope,
        tensors: selection.whole ? undefined : selection.tensors.map(({ name }) => name),
        formats: [...new Set(chosen.formats)],
        calibration: chosen.calibration,
        scaleDtype: readSettings().scaleDtype,
      }
    );
  }
}
