import type { ExtensionContext } from 'vscode';
import { ChoiceMemory } from './vscode/choiceMemory.js';
import { registerCommands } from './vscode/commands.js';
import { ComparisonPanels } from './vscode/comparisonPanels.js';
import { ComparisonStore } from './vscode/comparisonStore.js';
import { PerplexityMeter } from './vscode/perplexityMeter.js';
import { SafetensorsEditorProvider } from './vscode/safetensorsEditorProvider.js';
import { SharedPool } from './vscode/sharedPool.js';

/** Joins the parts; each of them explains itself. */
export function activate(context: ExtensionContext): void {
  const { extensionUri, globalState, globalStorageUri: storage, subscriptions } = context;
  const pool = new SharedPool();
  const memory = new ChoiceMemory(globalState);
  const editors = new SafetensorsEditorProvider(extensionUri, pool, memory);
  const store = new ComparisonStore(context);
  const meter = new PerplexityMeter(storage, globalState);
  const panels = new ComparisonPanels(extensionUri, pool, meter, store, editors);

  subscriptions.push(
    pool,
    editors.register(),
    panels.register(),
    registerCommands({ extensionUri, editors, panels, memory, pool, meter, storage }),
  );
}
