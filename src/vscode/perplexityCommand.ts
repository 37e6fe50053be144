import { availableParallelism } from 'node:os';
import * as vscode from 'vscode';
import { parseFormat } from '../formats/index.js';
import { planPerplexity } from '../jobs/perplexityPlan.js';
import { modelTitle } from '../jobs/modelTitle.js';
import type { CheckpointReport, ComparisonReport } from '../jobs/reports.js';
import { openLanguageModel } from '../model/languageModel.js';
import type { DroppedText } from '../protocol/comparison.js';
import type { Checkpoint } from '../safetensors/index.js';
import type { ChoiceMemory } from './choiceMemory.js';
import type { ComparisonPanel } from './comparisonPanel.js';
import type { ComparisonPanels } from './comparisonPanels.js';
import type { ComparisonRequest, PerplexityChoice } from './comparisonRequest.js';
import { pickExtent } from './extentPick.js';
import { formatWithGroup } from './formatName.js';
import { pickFormats } from './formatPick.js';
import { KeptTexts } from './keptTexts.js';
import { openModel } from './openModel.js';
import type { PerplexityMeter } from './perplexityMeter.js';
import { selectTensors, targetOf } from './quantizeTarget.js';
import type { SafetensorsEditorProvider } from './safetensorsEditorProvider.js';
import { readSettings } from './settings.js';
import { pickText } from './textPick.js';

/** What is to be run, before text and extent are known. */
interface Model {
  readonly checkpoint: Checkpoint;
  readonly request: Omit<ComparisonRequest, 'perplexity'>;
  /** Names of the tensors that formats are applied to. */
  readonly tensors: readonly string[];
  /** Questions that were asked before. */
  readonly asked: number;
}

/** "Measure Perplexity…": from a command's argument to a comparison panel that runs the model. */
export class PerplexityCommand {
  private readonly texts: KeptTexts;

  constructor(
    private readonly editors: SafetensorsEditorProvider,
    private readonly panels: ComparisonPanels,
    private readonly memory: ChoiceMemory,
    private readonly meter: PerplexityMeter,
    storage: vscode.Uri,
  ) {
    this.texts = new KeptTexts(storage);
  }

  /**
   * Asks for formats, text and extent, then measures. In a comparison panel the formats are the
   * panel's. An argument that names formats (none: the unquantized model alone) is asked nothing, and
   * the caller gets the report, or the error.
   */
  async run(argument: unknown): Promise<ComparisonReport | undefined> {
    const fields = fieldsOf(argument);
    const asks = !Array.isArray(fields['formats']);
    let request: ComparisonRequest | undefined;
    try {
      request = asks ? await this.ask(argument, fields) : await this.named(argument, fields);
      return request && (await this.panels.compare(request));
    } catch (error) {
      if (!asks) throw error;
      this.panels.tell(error, request);
      return undefined;
    }
  }

  /** The request of an argument that leaves nothing open. */
  private async named(
    argument: unknown,
    fields: Readonly<Record<string, unknown>>,
  ): Promise<ComparisonRequest> {
    const { text, windows, perLayer } = fields;
    const names = (fields['formats'] as unknown[]).map((name) => parseFormat(String(name)).id);
    const { request } = await this.model(argument, async () => names);
    return {
      ...request!,
      perplexity: {
        textFile: text instanceof vscode.Uri ? text.fsPath : textOrNone(text),
        windows: Number.isSafeInteger(windows) && Number(windows) > 0 ? Number(windows) : undefined,
        perLayer: perLayer === true,
      },
    };
  }

  private async ask(
    argument: unknown,
    fields: Readonly<Record<string, unknown>>,
  ): Promise<ComparisonRequest | undefined> {
    const panel = this.panelMeant(argument, fields['comparison']);
    const { checkpoint, request, tensors, asked } = panel
      ? await this.modelOf(panel)
      : await this.model(argument, (report) => this.askFormats(report, argument));
    if (!request) return undefined;
    // Where the model cannot be run there is nothing to ask; the panel says why, beside the weights.
    const runs = await openLanguageModel(checkpoint).then(
      () => true,
      () => false,
    );
    const perplexity =
      runs && !checkpoint.inMemory
        ? await this.askText({ checkpoint, request, tensors, asked }, droppedText(fields['text']))
        : {};
    return perplexity && { ...request, perplexity };
  }

  /** The comparison panel that is meant: the one named, or the active one where nothing else is. */
  private panelMeant(argument: unknown, id: unknown): ComparisonPanel | undefined {
    if (id !== undefined) return this.panels.byId(id);
    // The title bar of a webview panel passes an address of VS Code's own.
    const ownAddress = argument instanceof vscode.Uri && argument.scheme === 'webview-panel';
    if (argument !== undefined && argument !== null && !ownAddress) return undefined;
    const panel = this.panels.active();
    return panel?.panel.active ? panel : undefined;
  }

  private async modelOf({ run }: ComparisonPanel): Promise<Model> {
    const request = withoutChoice(run.request);
    const { checkpoint, report } = await openModel(vscode.Uri.parse(request.resource, true));
    const tensors = request.formats.length > 0 ? selectedNames(report, request.tensors) : [];
    return { checkpoint, request, tensors, asked: 0 };
  }

  private async model(
    argument: unknown,
    chooseFormats: (report: CheckpointReport) => Promise<readonly string[] | undefined>,
  ): Promise<Omit<Model, 'request'> & { readonly request?: Model['request'] }> {
    const target = targetOf(argument, this.editors);
    const resource = await modelFile(target.resource);
    const { checkpoint, report } = await openModel(resource);
    const formats = await chooseFormats(report);
    if (!formats) return { checkpoint, tensors: [], asked: 2 };
    const selection = formats.length > 0 ? selectTensors(report, target) : undefined;
    const tensors = selection?.tensors.map(({ name }) => name) ?? [];
    return {
      checkpoint,
      tensors,
      asked: 2,
      request: {
        resource: resource.toString(),
        modelName: modelTitle(resource.path),
        scope: selection?.scope ?? vscode.l10n.t('unquantized'),
        tensors: selection?.whole === false ? tensors : undefined,
        formats: [...new Set(formats)],
        scaleDtype: readSettings().scaleDtype,
      },
    };
  }

  private async askFormats(
    report: CheckpointReport,
    argument: unknown,
  ): Promise<readonly string[] | undefined> {
    const { memory } = this;
    const selection = selectTensors(report, targetOf(argument, this.editors));
    const title = vscode.l10n.t('Perplexity with {0} quantized', selection.scope);
    const purpose = { title, totalSteps: 4, allowNone: true };
    const before = { names: memory.formats, groupSize: memory.groupSize };
    const choice = await pickFormats(selection, before, readSettings().scaleDtype, purpose);
    if (choice && choice.names.length > 0) await memory.remember(choice);
    return choice?.names.map((name) => formatWithGroup(name, choice.groupSize).id);
  }

  private async askText(
    model: Model,
    dropped: DroppedText | undefined,
  ): Promise<PerplexityChoice | undefined> {
    const { memory } = this;
    const { folder } = model.checkpoint;
    const title = vscode.l10n.t('Perplexity of {0}', model.request.modelName);
    const totalSteps = model.asked + (dropped ? 1 : 2);
    const droppedFile = dropped && (await this.texts.fileOf(dropped));
    if (droppedFile !== undefined) await memory.rememberRecentText(droppedFile);
    for (;;) {
      const place = { title, step: model.asked + 1, totalSteps };
      const text =
        droppedFile !== undefined ? { file: droppedFile } : await pickText(folder, memory, place);
      if (!text || text === 'back') return undefined;
      const extent = await this.askExtent(model, text.file, title, totalSteps);
      if (extent === 'back') continue;
      return extent && { textFile: text.file, ...extent };
    }
  }

  private async askExtent(
    { checkpoint, request, tensors }: Model,
    textFile: string,
    title: string,
    step: number,
  ): Promise<PerplexityChoice | 'back' | undefined> {
    const abort = new AbortController();
    const formats = request.formats.map(parseFormat);
    const plan = planPerplexity(
      checkpoint,
      formats,
      tensors,
      { textFile },
      __dirname,
      abort.signal,
    );
    const threads = readSettings().threads ?? availableParallelism();
    const secondsFor = (flops: number) => this.meter.secondsFor(flops, threads);
    const counts = { formats: formats.length, tensors: tensors.length };
    const place = { title, step, totalSteps: step };
    const question = { ...place, ...counts, plan, secondsFor };
    const extent = await pickExtent(question, this.memory.extent);
    abort.abort();
    // What is wrong with the text is said where its result would be.
    if (extent === 'failed') return {};
    if (extent && extent !== 'back') await this.memory.rememberExtent(extent);
    return extent;
  }
}

function fieldsOf(argument: unknown): Readonly<Record<string, unknown>> {
  return typeof argument === 'object' && argument !== null && !(argument instanceof vscode.Uri)
    ? { ...argument }
    : {};
}

function withoutChoice({
  perplexity: _before,
  ...request
}: ComparisonRequest): Omit<ComparisonRequest, 'perplexity'> {
  return request;
}

function textOrNone(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A dropped text as a page sends it; what pages send is checked as anything from outside. */
function droppedText(value: unknown): DroppedText | undefined {
  const { uri, name, content } = fieldsOf(value);
  if (typeof uri === 'string') return { uri };
  return typeof name === 'string' && typeof content === 'string' ? { name, content } : undefined;
}

function selectedNames(
  { tensors }: CheckpointReport,
  names: readonly string[] | undefined,
): readonly string[] {
  return names ?? tensors.filter((tensor) => tensor.quantizedByDefault).map(({ name }) => name);
}

/** The file or index of the model in a folder; anything else is itself. */
async function modelFile(uri: vscode.Uri): Promise<vscode.Uri> {
  const { type } = await vscode.workspace.fs.stat(uri);
  if (!(type & vscode.FileType.Directory)) return uri;
  const { checkpoint } = await openModel(uri);
  return uri.scheme === 'file'
    ? vscode.Uri.file(checkpoint.path)
    : vscode.Uri.parse(checkpoint.path, true);
}
