import * as vscode from 'vscode';
import type { Host } from '../../host/host.js';
import { menuContext } from '../../reports/pageArguments.js';
import type { ChoiceMemory } from '../picks/choiceMemory.js';
import type { ComparisonPanels } from '../comparison/comparisonPanels.js';
import { showError } from '../errors.js';
import { CompareWithCommand } from './compareWithCommand.js';
import { ExportCommand } from './exportCommand.js';
import { COMMAND } from '../identifiers.js';
import { PerplexityCommand } from './perplexityCommand.js';
import type { PerplexityMeter } from '../comparison/perplexityMeter.js';
import { QuantizeCommands } from './quantizeCommand.js';
import { readTarget } from './quantizeTarget.js';
import type { SafetensorsEditorProvider } from '../editor/safetensorsEditorProvider.js';
import type { SharedPool } from '../sharedPool.js';

/** What commands work with. */
export interface CommandServices {
  readonly host: Host;
  readonly extensionUri: vscode.Uri;
  readonly editors: SafetensorsEditorProvider;
  readonly panels: ComparisonPanels;
  readonly memory: ChoiceMemory;
  readonly pool: SharedPool;
  readonly meter: PerplexityMeter;
  /** Where the extension may keep files. */
  readonly storage: vscode.Uri;
}

/** Registers every command of package.json. */
export function registerCommands(services: CommandServices): vscode.Disposable {
  const { extensionUri, editors, panels, memory, pool } = services;
  const quantize = new QuantizeCommands(services);
  const exporter = new ExportCommand(editors, panels, memory, pool);
  const perplexity = new PerplexityCommand(services);
  const compareWith = new CompareWithCommand(editors, panels);
  const sample = vscode.Uri.joinPath(extensionUri, 'media', 'sample', 'model.safetensors');

  const shown = (command: (argument: unknown) => unknown) => async (argument: unknown) => {
    try {
      await command(argument);
    } catch (error) {
      showError(error);
    }
  };
  const commands: Readonly<Record<string, (argument: unknown, selected?: unknown) => unknown>> = {
    [COMMAND.quantizeLayer]: (argument) => quantize.quantizeLayer(argument),
    [COMMAND.compareFormats]: (argument) => quantize.compareFormats(argument),
    [COMMAND.compareWith]: (argument, selected) => compareWith.run(argument, selected),
    [COMMAND.measurePerplexity]: (argument) => perplexity.run(argument),
    [COMMAND.exportQuantized]: (argument) => exporter.run(argument),
    [COMMAND.checkIntegrity]: shown((argument) =>
      editors.checkIntegrity(readTarget(argument, editors).resource),
    ),
    [COMMAND.openEditor]: shown((uri) =>
      uri instanceof vscode.Uri ? editors.open(uri) : undefined,
    ),
    [COMMAND.openSample]: shown(() => editors.open(sample)),
    [COMMAND.showComparison]: shown((id) => panels.reveal(id)),
    [COMMAND.copyComparisonCsv]: shown(() => {
      const panel = panels.active();
      if (!panel) throw new Error(vscode.l10n.t('There is no finished comparison yet.'));
      return panel.copyCsv();
    }),
  };
  return vscode.Disposable.from(
    ...Object.entries(commands).map(([id, run]) =>
      vscode.commands.registerCommand(id, (argument: unknown, selected: unknown) => {
        if (!isFromPage(argument)) return run(argument, selected);
        return shown((context) => run(menuContext.read(context, 'menu')))(argument);
      }),
    ),
  );
}

/** Whether an argument is what a page says of the place that its context menu was opened on. */
function isFromPage(argument: unknown): boolean {
  return typeof argument === 'object' && argument !== null && Object.hasOwn(argument, 'webview');
}
