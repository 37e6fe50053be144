import { join } from 'node:path';
import type { ExtensionContext } from 'vscode';
import { makeNodeHost } from './host/node/nodeHost.js';
import { ChoiceMemory } from './vscode/picks/choiceMemory.js';
import { registerCommands } from './vscode/commands/commands.js';
import { ComparisonPanels } from './vscode/comparison/comparisonPanels.js';
import { ComparisonStore } from './vscode/comparison/comparisonStore.js';
import { PerplexityMeter } from './vscode/comparison/perplexityMeter.js';
import { SafetensorsEditorProvider } from './vscode/editor/safetensorsEditorProvider.js';
import { GpuAccess } from './vscode/gpu/gpuAccess.js';
import { log } from './vscode/log.js';
import { SharedPool } from './vscode/sharedPool.js';

/** Joins the parts; each of them explains itself. */
export function activate(context: ExtensionContext): void {
  const { extensionUri, globalState, globalStorageUri: storage, subscriptions } = context;
  const host = makeNodeHost(join(context.extensionPath, 'dist'));
  const pool = new SharedPool(host);
  const gpu = new GpuAccess(host, (line) => log.info(`Comparison: ${line}`));
  const memory = new ChoiceMemory(globalState);
  const editors = new SafetensorsEditorProvider(extensionUri, pool, memory);
  const store = new ComparisonStore(context);
  const meter = new PerplexityMeter(host, gpu, storage, globalState);
  const panels = new ComparisonPanels(extensionUri, host.assets, pool, meter, gpu, store, editors);

  subscriptions.push(
    log,
    pool,
    gpu,
    editors.register(),
    panels.register(),
    registerCommands({ host, extensionUri, editors, panels, memory, pool, meter, storage }),
  );
}
