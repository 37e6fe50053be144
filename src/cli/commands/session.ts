import type { OpenedModel } from '../../checkpoint/types.js';
import { chooseThreads, WorkerPool } from '../../compute/workerPool.js';
import { Backends, type BackendChoice } from '../../jobs/backends/backends.js';
import { NodeGpu } from '../../jobs/backends/node/nodeGpu.js';
import type { Host } from '../../host/host.js';
import type { CallOptions } from '../../rpc/rpc.js';
import type { PerplexityArguments } from '../arguments.js';
import { describeCalibrationTime } from '../calibrationEstimate.js';

/** What a command works with: where its result goes, and how it is told to stop. */
export interface Session {
  /** Writes to standard output, a text or its parts one after the other; resolves once written. */
  readonly write: (text: string | Iterable<string>) => Promise<void>;
  /** One line on standard error that is not progress. */
  readonly warn: (message: string) => void;
  /** What the process offers: threads and bundled files. */
  readonly host: Host;
  /** Cancellation and progress of the job. */
  readonly options: CallOptions;
}

/** What a command was told about threads and backends. */
interface PoolArguments {
  readonly threads?: number;
  readonly backend: BackendChoice;
}

/** Runs a job that only threads do with a pool of workers that ends with it, whatever happens. */
export function withPool<T>(
  session: Session,
  args: PoolArguments,
  job: (pool: WorkerPool) => Promise<T>,
): Promise<T> {
  if (args.backend === 'webgpu') session.warn('--backend webgpu: this is done by threads');
  return runWithPool(session, args, job);
}

async function runWithPool<T>(
  { host, warn }: Session,
  { threads, backend }: PoolArguments,
  job: (pool: WorkerPool) => Promise<T>,
): Promise<T> {
  const kernels = backend === 'reference' ? 'reference' : 'wasm';
  const pool = await WorkerPool.create(host, { threads, backend: kernels });
  if (threads !== undefined && threads > pool.threads) {
    warn(
      `--threads ${threads}: this machine runs ${host.parallelism} at once, and no more are used`,
    );
  }
  try {
    return await job(pool);
  } finally {
    await pool.dispose();
  }
}

/** Runs a job with a choice of backends; the pool and the GPU end with it. */
export async function withBackends<T>(
  session: Session,
  args: PoolArguments,
  job: (pool: WorkerPool, backends: Backends) => Promise<T>,
): Promise<T> {
  const gpu = new NodeGpu(session.host);
  const backends = new Backends(args.backend, gpu, { mustHaveGpu: true });
  try {
    return await runWithPool(session, args, (pool) => job(pool, backends));
  } finally {
    await gpu.end();
  }
}

/** A report with a note more, where there is one. */
export function withNote<Report extends { readonly notes: readonly string[] }>(
  report: Report,
  note: string | undefined,
): Report {
  return note === undefined ? report : { ...report, notes: [...report.notes, note] };
}

/** Says before it begins how long a calibration will take, where that is long. */
export async function announce(
  { host, warn }: Session,
  {
    formats,
    calibration,
    threads,
    quiet,
  }: Pick<PerplexityArguments, 'formats' | 'calibration' | 'threads' | 'quiet'>,
  model: OpenedModel,
): Promise<void> {
  if (quiet) return;
  const used = chooseThreads(host, threads);
  const line = await describeCalibrationTime(model, formats, calibration, used);
  if (line) warn(line);
}
