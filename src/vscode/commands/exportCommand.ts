import * as vscode from 'vscode';
import { parseScheme } from '../../methods/schemes.js';
import { FORMAT_CATALOGUE, formatLabel, parseFormat } from '../../formats/index.js';
import type { NumberFormat, ScaleDtype } from '../../formats/index.js';
import { quantizeToFile } from '../../jobs/node/quantizeToFile.js';
import type { OpenedModel } from '../../checkpoint/types.js';
import type { ChoiceMemory } from '../picks/choiceMemory.js';
import type { ComparisonPanels } from '../comparison/comparisonPanels.js';
import { showError } from '../errors.js';
import { formatWithGroup } from '../picks/formatName.js';
import { ModelSnapshot } from '../modelSnapshot.js';
import { withNotification } from '../notification.js';
import { selectTensors, readTarget } from './quantizeTarget.js';
import type { QuantizeTarget, Selection } from './quantizeTarget.js';
import type { SafetensorsEditorProvider } from '../editor/safetensorsEditorProvider.js';
import { proposeFile } from '../saveFile.js';
import { readSettings } from '../settings.js';
import type { SharedPool } from '../sharedPool.js';

/** What is to be written: whose tensors, and the formats to choose from. */
interface ExportSource {
  readonly target: QuantizeTarget;
  /** Canonical names; the first is proposed. */
  readonly formats: readonly string[];
  readonly scaleDtype: ScaleDtype;
}

/** "Export Quantized Weights…": writes the rounded weights, widened to F32 again, as safetensors. */
export class ExportCommand {
  constructor(
    private readonly editors: SafetensorsEditorProvider,
    private readonly panels: ComparisonPanels,
    private readonly memory: ChoiceMemory,
    private readonly pool: SharedPool,
  ) {}

  async run(argument: unknown): Promise<void> {
    try {
      await this.export(this.source(argument));
    } catch (error) {
      showError(error);
    }
  }

  /** A comparison panel in front means its tensors and formats; anything else is as usual. */
  private source(argument: unknown): ExportSource {
    const panel = this.panels.active();
    // The title bar of a webview panel passes an address of VS Code's own.
    const names = argument instanceof vscode.Uri && argument.scheme !== 'webview-panel';
    if (panel?.panel.active && !names) {
      const { resource, tensors, scope, formats, scaleDtype } = panel.run.request;
      const uri = vscode.Uri.parse(resource, true);
      const rounded = formats.map((name) => parseScheme(name).format.id);
      return {
        target: { resource: uri, tensors, label: scope },
        formats: [...new Set(rounded)],
        scaleDtype,
      };
    }
    const { groupSize } = this.memory;
    return {
      target: readTarget(argument, this.editors),
      formats: FORMAT_CATALOGUE.map(({ name }) => formatWithGroup(name, groupSize).id),
      scaleDtype: readSettings().scaleDtype,
    };
  }

  private async export({ target, formats, scaleDtype }: ExportSource): Promise<void> {
    const opened = await this.editors.snapshot(target.resource);
    const selection = selectTensors(opened.model, target);
    const format = await pickOne(formats.map(parseFormat), selection);
    const out = format && (await chooseTarget(target.resource, opened.model, format));
    if (!out) return;
    const request = {
      format: format.id,
      tensors: selection.whole ? undefined : selection.tensors.map(({ name }) => name),
      scaleDtype,
      out: out.fsPath,
    };
    // The questions may have taken minutes.
    const { model } = await ModelSnapshot.current(target.resource, opened);
    const title = vscode.l10n.t('Writing {0} in {1}', selection.scope, formatLabel(format));
    const { outputs } = await withNotification(title, (options) =>
      this.pool.use((pool) => quantizeToFile(pool, model, request, options)),
    );
    await offerToOpen(outputs);
  }
}

async function pickOne(
  formats: readonly NumberFormat[],
  { scope }: Selection,
): Promise<NumberFormat | undefined> {
  const items = formats.map((format) => ({
    format,
    label: formatLabel(format),
    description: format.entry.description,
  }));
  const picked = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('Export {0}, rounded to a format and widened to F32', scope),
    placeHolder: vscode.l10n.t('Format to round to, each weight to its nearest level'),
    matchOnDescription: true,
  });
  return picked?.format;
}

/** Asks for a file, or for a folder where the model has several files. */
async function chooseTarget(
  resource: vscode.Uri,
  { files, path, fileSystem }: OpenedModel,
  format: NumberFormat,
): Promise<vscode.Uri | undefined> {
  let chosen: vscode.Uri | undefined;
  if (files.length > 1) {
    const folders = await vscode.window.showOpenDialog({
      canSelectFiles: false,
      canSelectFolders: true,
      openLabel: vscode.l10n.t('Write Here'),
      title: vscode.l10n.t('Folder for the quantized model'),
    });
    chosen = folders?.[0];
  } else {
    const base = fileSystem.split(path).name.replace(/\.(safetensors|gguf)$/, '');
    chosen = await vscode.window.showSaveDialog({
      defaultUri: proposeFile(resource, `${base}-${format.id}`, '.safetensors'),
      filters: { Safetensors: ['safetensors'] },
    });
  }
  if (chosen && chosen.scheme !== 'file') {
    throw new Error(vscode.l10n.t('Quantized weights can be written to local folders only.'));
  }
  return chosen;
}

async function offerToOpen(outputs: readonly string[]): Promise<void> {
  const [first] = outputs;
  if (first === undefined) return;
  const open = vscode.l10n.t('Open');
  const message =
    outputs.length === 1
      ? vscode.l10n.t('Wrote {0}', first)
      : vscode.l10n.t('Wrote {0} and {1} more files', first, outputs.length - 1);
  const answer = await vscode.window.showInformationMessage(message, open);
  if (answer === open) await vscode.commands.executeCommand('vscode.open', vscode.Uri.file(first));
}
