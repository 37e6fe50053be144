import * as vscode from 'vscode';
import { chooseThreads } from '../../compute/workerPool.js';
import { parseScheme } from '../../methods/schemes.js';
import { planPerplexity } from '../../jobs/perplexity/node/planPerplexity.js';
import { makeModelTitle } from '../../reports/modelTitle.js';
import type { ComparisonReport } from '../../reports/reports.js';
import { planLanguageModel } from '../../model/config/languageModel.js';
import type { DroppedText } from '../../reports/comparisonPage.js';
import type { OpenedModel } from '../../checkpoint/types.js';
import type { ComparisonPanel } from '../comparison/comparisonPanel.js';
import { askSchemes, type AskedSchemes } from './askSchemes.js';
import type { CommandServices } from './commands.js';
import type { ComparisonRequest, PerplexityChoice } from '../comparison/comparisonRequest.js';
import { readBosChoice } from '../comparison/comparisonRequest.js';
import { pickWindows } from '../picks/windowsPick.js';
import { KeptTexts } from '../picks/keptTexts.js';
import type { ModelSnapshot } from '../modelSnapshot.js';
import { selectTensors, readTarget } from './quantizeTarget.js';
import { readSettings } from '../settings.js';
import { pickText } from '../picks/textPick.js';

/** What is to be run, before text and windows are known. */
interface Measurable {
  readonly opened: ModelSnapshot;
  readonly request: Omit<ComparisonRequest, 'perplexity'>;
  /** Names of the tensors that formats are applied to. */
  readonly tensors: readonly string[];
  /** Questions that were asked before. */
  readonly asked: number;
  /** As requests have it. */
  readonly bosEveryWindow?: boolean;
}

/** What is to be run, and its model. */
interface Measurement {
  readonly opened: ModelSnapshot;
  readonly request: ComparisonRequest;
}

/** "Measure Perplexity…": from a command's argument to a comparison panel that runs the model. */
export class PerplexityCommand {
  private readonly texts: KeptTexts;

  constructor(private readonly services: CommandServices) {
    this.texts = new KeptTexts(services.storage);
  }

  /**
   * Asks for formats, text and windows, then measures. In a comparison panel the formats are the
   * panel's. An argument that names formats (none: the unquantized model alone) is asked nothing, and
   * the caller gets the report, or the error.
   */
  async run(argument: unknown): Promise<ComparisonReport | undefined> {
    const fields = fieldsOf(argument);
    const asks = !Array.isArray(fields['formats']);
    let measurement: Measurement | undefined;
    try {
      measurement = asks ? await this.ask(argument, fields) : await this.named(argument, fields);
      if (!measurement) return undefined;
      return await this.services.panels.compare(measurement.request, measurement.opened);
    } catch (error) {
      if (!asks) throw error;
      this.services.panels.tell(error, measurement?.request);
      return undefined;
    }
  }

  /** What an argument means that leaves nothing to ask. */
  private async named(
    argument: unknown,
    fields: Readonly<Record<string, unknown>>,
  ): Promise<Measurement> {
    const { text, windows, perLayer, bosEveryWindow } = fields;
    const names = (fields['formats'] as unknown[]).map((name) => parseScheme(String(name)).id);
    const { opened, request } = await this.model(argument, async () => ({
      formats: names,
      asked: 0,
    }));
    const perplexity = {
      textFile: text instanceof vscode.Uri ? text.fsPath : textOrNone(text),
      windows: Number.isSafeInteger(windows) && Number(windows) > 0 ? Number(windows) : undefined,
      perLayer: perLayer === true,
      bosEveryWindow: typeof bosEveryWindow === 'boolean' ? bosEveryWindow : undefined,
    };
    return { opened, request: { ...request!, perplexity } };
  }

  private async ask(
    argument: unknown,
    fields: Readonly<Record<string, unknown>>,
  ): Promise<Measurement | undefined> {
    const panel = this.panelMeant(argument, fields['comparison']);
    const measurable = panel
      ? await this.modelOf(panel)
      : await this.model(argument, (model) => this.askFormats(model, argument));
    const { opened, request } = measurable;
    if (!request) return undefined;
    const { model } = opened;
    // Where the model cannot be run there is nothing to ask; the panel says why, beside the weights.
    const runs = await planLanguageModel(model).then(
      () => true,
      () => false,
    );
    const perplexity =
      runs && model.fileSystem.isLocal
        ? await this.askText({ ...measurable, request }, droppedText(fields['text']))
        : {};
    return perplexity && { opened, request: { ...request, perplexity } };
  }

  /** The comparison panel that is meant: the one named, or the active one where nothing else is. */
  private panelMeant(argument: unknown, id: unknown): ComparisonPanel | undefined {
    if (id !== undefined) return this.services.panels.byId(id);
    // The title bar of a webview panel passes an address of VS Code's own.
    const ownAddress = argument instanceof vscode.Uri && argument.scheme === 'webview-panel';
    if (argument !== undefined && argument !== null && !ownAddress) return undefined;
    const panel = this.services.panels.active();
    return panel?.panel.active ? panel : undefined;
  }

  private async modelOf({ run, bos }: ComparisonPanel): Promise<Measurable> {
    const request = withoutChoice(run.request);
    const resource = vscode.Uri.parse(request.resource, true);
    const opened = await this.services.editors.snapshot(resource);
    const tensors = request.formats.length > 0 ? selectedNames(opened.model, request.tensors) : [];
    return { opened, request, tensors, asked: 0, bosEveryWindow: readBosChoice(bos) };
  }

  private async model(
    argument: unknown,
    choose: (model: OpenedModel) => Promise<AskedSchemes | undefined>,
  ): Promise<Omit<Measurable, 'request'> & { readonly request?: Measurable['request'] }> {
    const target = readTarget(argument, this.services.editors);
    const opened = await this.services.editors.snapshot(target.resource);
    const { model } = opened;
    const resource = await modelFile(target.resource, model);
    const chosen = await choose(model);
    if (!chosen) return { opened, tensors: [], asked: 0 };
    const { formats, calibration, asked } = chosen;
    const selection = formats.length > 0 ? selectTensors(model, target) : undefined;
    const tensors = selection?.tensors.map(({ name }) => name) ?? [];
    return {
      opened,
      tensors,
      asked,
      request: {
        resource: resource.toString(),
        modelName: makeModelTitle(resource.path),
        scope: selection?.scope ?? vscode.l10n.t('unquantized'),
        tensors: selection?.whole === false ? tensors : undefined,
        formats: [...new Set(formats)],
        calibration,
        scaleDtype: readSettings().scaleDtype,
      },
    };
  }

  private async askFormats(
    model: OpenedModel,
    argument: unknown,
  ): Promise<AskedSchemes | undefined> {
    const selection = selectTensors(model, readTarget(argument, this.services.editors));
    const title = vscode.l10n.t('Perplexity with {0} quantized', selection.scope);
    const purpose = { title, selection, further: 2, allowNone: true };
    return askSchemes(this.services, model, purpose);
  }

  private async askText(
    measurable: Measurable,
    dropped: DroppedText | undefined,
  ): Promise<PerplexityChoice | undefined> {
    const { memory } = this.services;
    const { folder } = measurable.opened.model;
    const title = vscode.l10n.t('Perplexity of {0}', measurable.request.modelName);
    const totalSteps = measurable.asked + (dropped ? 1 : 2);
    const droppedFile = dropped && (await this.texts.fileOf(dropped));
    if (droppedFile !== undefined) await memory.rememberRecentText(droppedFile);
    for (;;) {
      const place = { title, step: measurable.asked + 1, totalSteps };
      const text =
        droppedFile !== undefined
          ? { file: droppedFile }
          : await pickText(
              { host: this.services.host, folder, memory, purpose: 'perplexity' },
              place,
            );
      if (!text || text === 'back') return undefined;
      const choice = await this.askWindows(measurable, text.file, title, totalSteps);
      if (choice === 'back') continue;
      const { bosEveryWindow } = measurable;
      return choice && { textFile: text.file, bosEveryWindow, ...choice };
    }
  }

  private async askWindows(
    { opened, request, tensors, bosEveryWindow }: Measurable,
    textFile: string,
    title: string,
    step: number,
  ): Promise<PerplexityChoice | 'back' | undefined> {
    const abort = new AbortController();
    const formats = request.formats.map((name) => parseScheme(name));
    const { host } = this.services;
    const wanted = { formats, tensors, text: { textFile, bosEveryWindow } };
    const plan = planPerplexity(host, opened.model, wanted, abort.signal);
    const threads = chooseThreads(host, readSettings().threads);
    const secondsFor = (flops: number) => this.services.meter.secondsFor(flops, threads);
    const counts = { formats: formats.length, tensors: tensors.length };
    const place = { title, step, totalSteps: step };
    const question = { ...place, ...counts, plan, secondsFor };
    const choice = await pickWindows(question, this.services.memory.windows);
    abort.abort();
    // What is wrong with the text is said where its result would be.
    if (choice === 'failed') return {};
    if (choice && choice !== 'back') await this.services.memory.rememberWindows(choice);
    return choice;
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
  { tensors }: OpenedModel,
  names: readonly string[] | undefined,
): readonly string[] {
  return names ?? tensors.filter((tensor) => tensor.quantizedByDefault).map(({ name }) => name);
}

/** The file or index of the model opened from a folder; anything else is itself. */
async function modelFile(uri: vscode.Uri, { path }: OpenedModel): Promise<vscode.Uri> {
  const { type } = await vscode.workspace.fs.stat(uri);
  if (!(type & vscode.FileType.Directory)) return uri;
  return uri.scheme === 'file' ? vscode.Uri.file(path) : vscode.Uri.parse(path, true);
}
