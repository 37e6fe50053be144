import * as vscode from 'vscode';
import { readGroupRanges } from '../../jobs/inspection/groupRanges.js';
import { readTensorDetails } from '../../jobs/inspection/tensorStatistics.js';
import type { GroupRanges } from '../../metrics/types.js';
import type { GroupRangesRequest, TensorDetails } from '../../reports/editorPage.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { watchFiles } from './fileWatch.js';
import { openModel } from '../openModel.js';
import type { OpenedModel } from '../../checkpoint/types.js';
import type { SharedPool } from '../sharedPool.js';

/** Results kept per document; the least recently asked for go first. */
const MAX_RESULTS = 400;

/** A model open in one or several editors: its headers, and the results computed from it so far. */
export class SafetensorsDocument implements vscode.CustomDocument {
  private readonly fileChanged = new vscode.EventEmitter<void>();
  /** Fires when a file of the model changed on disk since it was read. */
  readonly onDidChangeFile = this.fileChanged.event;

  private model: Promise<OpenedModel> | undefined;
  private results = new Map<string, unknown>();
  private readonly watch: vscode.Disposable;
  private shards: ReadonlySet<string> = new Set();

  constructor(
    readonly uri: vscode.Uri,
    private readonly pool: SharedPool,
  ) {
    const name = uri.path.slice(uri.path.lastIndexOf('/') + 1);
    this.watch = watchFiles(
      uri,
      (file) => file === name || this.shards.has(file),
      () => this.fileChanged.fire(),
    );
  }

  /** The model as last read; read now where it has not been, or could not be. */
  load(): Promise<OpenedModel> {
    if (!this.model) {
      const model = openModel(this.uri);
      this.model = model;
      model.then(
        ({ files }) => {
          this.shards = new Set(files.map((file) => file.name));
        },
        () => {
          if (this.model === model) this.model = undefined;
        },
      );
    }
    return this.model;
  }

  /** Reads the files anew and forgets what was computed from the old ones. */
  reload(): Promise<OpenedModel> {
    this.model = undefined;
    this.results = new Map();
    return this.load();
  }

  tensorDetails(
    request: { readonly tensor: string; readonly bins: number },
    options: CallOptions,
  ): Promise<TensorDetails> {
    return this.result(['details', request.tensor, request.bins], (model) =>
      this.pool.use((pool) => readTensorDetails(pool, model, request, options)),
    );
  }

  groupRanges(request: GroupRangesRequest, options: CallOptions): Promise<GroupRanges> {
    const { tensor, groupSize, firstGroup, shownGroups, maxColumns } = request;
    const key = ['ranges', tensor, groupSize, firstGroup, shownGroups, maxColumns];
    return this.result(key, (model) =>
      this.pool.use((pool) => readGroupRanges(pool, model, request, options)),
    );
  }

  dispose(): void {
    this.watch.dispose();
    this.fileChanged.dispose();
  }

  /** A finished result, or a new one; one under way belongs to whoever may cancel it. */
  private async result<T>(
    parts: readonly unknown[],
    compute: (model: OpenedModel) => Promise<T>,
  ): Promise<T> {
    const key = JSON.stringify(parts);
    const model = await this.load();
    const { results } = this;
    const value = results.has(key) ? (results.get(key) as T) : await compute(model);
    results.delete(key);
    results.set(key, value);
    if (results.size > MAX_RESULTS) results.delete(results.keys().next().value!);
    return value;
  }
}
