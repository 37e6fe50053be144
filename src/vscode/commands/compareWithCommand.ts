import * as vscode from 'vscode';
import { nameAgainst } from '../../jobs/comparison/compareAgainst.js';
import { makeModelTitle } from '../../reports/modelTitle.js';
import type { ComparisonReport } from '../../reports/reports.js';
import type { ComparisonPanels } from '../comparison/comparisonPanels.js';
import type { ComparisonRequest } from '../comparison/comparisonRequest.js';
import type { SafetensorsEditorProvider } from '../editor/safetensorsEditorProvider.js';
import { ModelSnapshot } from '../modelSnapshot.js';
import { readSettings } from '../settings.js';
import { readTarget } from './quantizeTarget.js';

/** "Compare with Another Checkpoint…": from a command's arguments to a comparison panel. */
export class CompareWithCommand {
  constructor(
    private readonly editors: SafetensorsEditorProvider,
    private readonly panels: ComparisonPanels,
  ) {}

  /**
   * Asks for the other checkpoint, unless two are selected in the explorer or the argument names it as `against`; then
   * compares all tensors that both have. Who names it is asked nothing, and gets the report, or the error.
   * @param selected what is selected in the explorer
   */
  async run(argument: unknown, selected: unknown): Promise<ComparisonReport | undefined> {
    const against = namedIn(argument);
    let request: ComparisonRequest | undefined;
    try {
      const { resource } = readTarget(argument, this.editors);
      const other = against ?? otherSelected(resource, selected) ?? (await pickOther(resource));
      if (!other) return undefined;
      const opened = await this.editors.snapshot(resource);
      const { model } = await ModelSnapshot.open(other);
      request = {
        resource: resource.toString(),
        modelName: makeModelTitle(resource.path),
        scope: vscode.l10n.t('all tensors that both have'),
        formats: [],
        against: { resource: other.toString(), name: nameAgainst(model) },
        scaleDtype: readSettings().scaleDtype,
      };
      return await this.panels.compare(request, opened);
    } catch (error) {
      if (against) throw error;
      this.panels.tell(error, request);
      return undefined;
    }
  }
}

function namedIn(argument: unknown): vscode.Uri | undefined {
  if (typeof argument !== 'object' || argument === null) return undefined;
  const { against } = argument as { readonly against?: unknown };
  return against instanceof vscode.Uri ? against : undefined;
}

/** Of two checkpoints that are selected, the one that was not clicked. */
function otherSelected(resource: vscode.Uri, selected: unknown): vscode.Uri | undefined {
  if (!Array.isArray(selected) || selected.length !== 2) return undefined;
  const uris = selected.filter((each) => each instanceof vscode.Uri);
  return uris.find((uri) => uri.toString() !== resource.toString());
}

async function pickOther(resource: vscode.Uri): Promise<vscode.Uri | undefined> {
  const picked = await vscode.window.showOpenDialog({
    title: vscode.l10n.t('Compare {0} with…', makeModelTitle(resource.path)),
    openLabel: vscode.l10n.t('Compare'),
    defaultUri: vscode.Uri.joinPath(resource, '..'),
    filters: { [vscode.l10n.t('Checkpoints')]: ['safetensors', 'gguf', 'json'] },
  });
  return picked?.[0];
}
