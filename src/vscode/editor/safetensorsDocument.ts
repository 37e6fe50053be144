import * as vscode from 'vscode';
import { readGroupRanges } from '../../jobs/inspection/groupRanges.js';
import { readTensorDetails } from '../../jobs/inspection/tensorStatistics.js';
import type { GroupRanges } from '../../metrics/types.js';
import type { GroupRangesRequest, TensorDetails } from '../../reports/editorPage.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { watchFiles } from './fileWatch.js';
import { IntegrityCheck } from './integrityCheck.js';
import { ModelSnapshot } from '../modelSnapshot.js';
import type { OpenedModel } from '../../checkpoint/types.js';
import type { SharedPool } from '../sharedPool.js';
import { SharedRead } from '../sharedRead.js';

/** Results kept per document; the least recently asked for go first. */
const MAX_RESULTS = 400;

/** A model open in one or several editors: its headers, and the results computed from it so far. */
export class SafetensorsDocument implements vscode.CustomDocument {
  private readonly fileChanged = new vscode.EventEmitter<void>();
  /** Fires when a file of the model changed on disk since it was read. */
  readonly onDidChangeFile = this.fileChanged.event;

  /** What is wrong with the files as last read. */
  readonly integrity: IntegrityCheck;

  private snapshot: SharedRead<ModelSnapshot> | undefined;
  private results = new Map<string, unknown>();
  private readonly watch: vscode.Disposable;
  /** Names of what the model was last read from: shards, their index, `config.json`. */
  private files: ReadonlySet<string> = new Set();

  constructor(
    readonly uri: vscode.Uri,
    private readonly pool: SharedPool,
  ) {
    this.integrity = new IntegrityCheck(() => this.load(), pool);
    const name = uri.path.slice(uri.path.lastIndexOf('/') + 1);
    this.watch = watchFiles(
      uri,
      (file) => file === name || this.files.has(file),
      () => {
        this.forget();
        this.fileChanged.fire();
      },
    );
  }

  /** The model as last read; read now where it has not been, or could not be. */
  async load(options?: CallOptions): Promise<OpenedModel> {
    return (await this.read(options)).model;
  }

  /** The model as its files are now, which are read anew only if they changed. */
  async current(options?: CallOptions): Promise<ModelSnapshot> {
    const before = this.snapshot;
    const snapshot = await this.read(options);
    if (before === undefined || (await snapshot.isCurrent())) return snapshot;
    // The watch tells of a change later, or of none where a file system reports none.
    if (this.snapshot === before) this.forget();
    return this.read(options);
  }

  /** Reads the files anew and forgets what was computed from the old ones. */
  reload(options?: CallOptions): Promise<OpenedModel> {
    this.forget();
    return this.load(options);
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
    this.snapshot?.cancel();
    this.integrity.cancel();
    this.watch.dispose();
    this.fileChanged.dispose();
  }

  private read(options?: CallOptions): Promise<ModelSnapshot> {
    if (!this.snapshot || this.snapshot.isCancelled) this.snapshot = this.startReading();
    return this.snapshot.wait(options);
  }

  private startReading(): SharedRead<ModelSnapshot> {
    const reading = new SharedRead(async (options) => {
      try {
        const snapshot = await ModelSnapshot.open(this.uri, options);
        this.files = new Set(snapshot.fileNames);
        return snapshot;
      } catch (error) {
        if (this.snapshot === reading) this.snapshot = undefined;
        throw error;
      }
    });
    return reading;
  }

  private forget(): void {
    this.snapshot = undefined;
    this.results = new Map();
    this.integrity.forget();
  }

  /** A finished result, or a new one; one under way belongs to whoever may cancel it. */
  private async result<T>(
    parts: readonly unknown[],
    compute: (model: OpenedModel) => Promise<T>,
  ): Promise<T> {
    const key = JSON.stringify(parts);
    // Taken together, so that a result is kept only beside the model that it is of.
    const { results } = this;
    const model = await this.load();
    const value = results.has(key) ? (results.get(key) as T) : await compute(model);
    results.delete(key);
    results.set(key, value);
    if (results.size > MAX_RESULTS) results.delete(results.keys().next().value!);
    return value;
  }
}
