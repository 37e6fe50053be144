import type { BackendChoice } from '../../jobs/backends/backends.js';
import { USUAL_SPEED } from '../../jobs/perplexity/estimateCalibration.js';

/** What is used of VS Code's `Memento`. */
export interface SpeedStore {
  get<T>(key: string): T | undefined;
  update(key: string, value: number): unknown;
}

const KEY = 'perplexity.flopsPerSecond';

/** How fast models ran on this machine, apart for each of what ran them. */
export class LearntSpeeds {
  constructor(private readonly store: SpeedStore) {}

  /**
   * Keeps the speed of a run.
   * @param backend what ran all of it; where several did, nothing is learnt
   * @param flopsPerSecond multiplications and additions
   */
  learn(backend: string, flopsPerSecond: number, threads: number): void {
    const speed = backend === 'webgpu' ? flopsPerSecond : flopsPerSecond / threads;
    if (backend.includes(',') || !(speed > 0)) return;
    void this.store.update(`${KEY}.${backend}`, speed);
  }

  /** Seconds that so much work should take where this is asked for: `auto` takes what is faster. */
  secondsFor(flops: number, threads: number, choice: BackendChoice): number {
    const onThreads = flops / (this.threadSpeed(choice) * threads);
    const gpu = this.store.get<number>(`${KEY}.webgpu`);
    if (gpu === undefined || choice === 'wasm' || choice === 'reference') return onThreads;
    const onGpu = flops / gpu;
    return choice === 'webgpu' ? onGpu : Math.min(onGpu, onThreads);
  }

  private threadSpeed(choice: BackendChoice): number {
    const backend = choice === 'reference' ? 'reference' : 'wasm';
    return this.store.get<number>(`${KEY}.${backend}`) ?? USUAL_SPEED;
  }
}
