import { describeAdapter, type AdapterDescription, type DeviceLimits } from './adapter.js';
import { BufferPool } from './bufferPool.js';
import { GpuFailure } from './gpuFailure.js';

/** Words of 4 bytes in a buffer of the device. */
export interface GpuView {
  readonly buffer: GPUBuffer;
  /** In bytes, a multiple of 4. */
  readonly offset: number;
  readonly bytes: number;
}

/** A compiled shader and how it uses its storage bindings, which are numbered from 1. */
export interface Kernel {
  readonly name: string;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  readonly access: readonly Access[];
}

export type Access = 'read' | 'write';

export interface KernelSource {
  /** Unique among kernels: with {@link constants}, names the pipeline that is kept. */
  readonly name: string;
  readonly code: string;
  /** One for each storage binding; `write` is `read_write` in the shader. */
  readonly access: readonly Access[];
  /** Values of `override` constants. */
  readonly constants?: Readonly<Record<string, number>>;
}

/** One run of a kernel. */
export interface Dispatch {
  readonly views: readonly GpuView[];
  /**
   * The kernel's parameters, behind those that {@link Gpu.run} puts first: for each view, how many words of
   * what is bound lie before it. Whole numbers go in as they are, `f32` as {@link floatWord} gives them.
   */
  readonly words: readonly number[];
  /** Workgroups. */
  readonly groups: readonly [x: number, y?: number, z?: number];
}

export interface GpuOptions {
  /** Ask for no more than every adapter has, to prove that this suffices. */
  readonly smallestLimits?: boolean;
}

/** What is alive on a device, for diagnostics and tests. */
export interface GpuCounts {
  readonly buffers: number;
  readonly bufferBytes: number;
  readonly pipelines: number;
}

/** Bytes to which bindings and parameters are aligned; every adapter accepts it. */
const ALIGNMENT = 256;
/** Dispatches in one submission, at most; each has its parameters in one buffer. */
const MAX_DISPATCHES = 128;
const MAX_WORDS = ALIGNMENT / 4;
/** Larger than any adapter needs, and no adapter's arithmetic on sizes is put to the test. */
const MAX_BYTES = 2 ** 32 - 2 ** 16;

const ERRORS = ['validation', 'out-of-memory', 'internal'] as const;

const asFloat = new Float32Array(1);
const asWord = new Uint32Array(asFloat.buffer);

/** The word in which a kernel finds an f32. */
export function floatWord(value: number): number {
  asFloat[0] = value;
  return asWord[0];
}

/** Workgroups of a kernel that numbers them by y · (groups in x) + x, `count` of them or some more. */
export function gridOf(count: number, { workgroups }: DeviceLimits): [number, number] {
  if (count <= workgroups) return [count, 1];
  const rows = Math.ceil(count / workgroups);
  return [Math.ceil(count / rows), rows];
}

/**
 * A device, its kernels and its buffers. Commands are recorded and go to the device together; what was
 * written before a command is seen by it. A failure makes everything that follows reject.
 */
export class Gpu {
  readonly limits: DeviceLimits;
  private readonly kernels = new Map<string, Kernel>();
  private readonly buffers: BufferPool;
  private readonly parameters: GPUBuffer;
  private readonly words = new Uint32Array((MAX_DISPATCHES * ALIGNMENT) / 4);
  private encoder: GPUCommandEncoder | undefined;
  private pass: GPUComputePassEncoder | undefined;
  private dispatches = 0;
  private borrowed: GPUBuffer[] = [];
  /** Ends of the submissions under way. */
  private checks: Promise<unknown> = Promise.resolve();
  private failed: GpuFailure | undefined;
  private destroyed = false;

  private constructor(
    readonly device: GPUDevice,
    readonly adapter: AdapterDescription,
  ) {
    const { limits } = device;
    this.limits = {
      bufferBytes: Math.min(limits.maxBufferSize, MAX_BYTES),
      bindingBytes: Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize, MAX_BYTES),
      workgroupBytes: limits.maxComputeWorkgroupStorageSize,
      invocations: limits.maxComputeInvocationsPerWorkgroup,
      workgroups: limits.maxComputeWorkgroupsPerDimension,
      leastSubgroup: device.features.has('subgroups')
        ? (device.adapterInfo.subgroupMinSize ?? 0)
        : 0,
    };
    this.buffers = new BufferPool(device);
    this.parameters = device.createBuffer({
      label: 'parameters',
      size: MAX_DISPATCHES * ALIGNMENT,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    void device.lost.then(({ message, reason }) => {
      if (!this.destroyed) this.fail(`The GPU was lost (${message || reason})`);
    });
    device.addEventListener('uncapturederror', (event) => this.fail(event.error.message));
  }

  /** @throws GpuFailure where the adapter gives no device */
  static async open(adapter: GPUAdapter, { smallestLimits }: GpuOptions = {}): Promise<Gpu> {
    const { limits } = adapter;
    const features = (['subgroups'] as const).filter((name) => adapter.features.has(name));
    try {
      const device = await adapter.requestDevice({
        requiredFeatures: smallestLimits ? [] : features,
        requiredLimits: smallestLimits
          ? {}
          : {
              maxBufferSize: limits.maxBufferSize,
              maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
              maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
            },
      });
      return new Gpu(device, describeAdapter(adapter));
    } catch (error) {
      throw new GpuFailure(`The GPU cannot be used: ${String(error)}`, { cause: error });
    }
  }

  get counts(): GpuCounts {
    return { ...this.buffers.counts, pipelines: this.kernels.size };
  }

  /** A shader, compiled when it is asked for first. */
  kernel({ name, code, access, constants }: KernelSource): Kernel {
    const key = constants ? `${name} ${JSON.stringify(constants)}` : name;
    let kernel = this.kernels.get(key);
    if (!kernel) {
      const { device } = this;
      const layout = device.createBindGroupLayout({
        label: key,
        entries: [
          { binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: 'uniform' } },
          ...access.map((each, index) => ({
            binding: index + 1,
            visibility: GPUShaderStage.COMPUTE,
            buffer: { type: each === 'read' ? 'read-only-storage' : 'storage' } as const,
          })),
        ],
      });
      const pipeline = device.createComputePipeline({
        label: key,
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module: device.createShaderModule({ label: key, code }), constants },
      });
      kernel = { name: key, pipeline, layout, access };
      this.kernels.set(key, kernel);
    }
    return kernel;
  }

  /** Compiles a shader that the device may refuse, which is no failure. @returns whether it can be run */
  async compiles(source: KernelSource): Promise<boolean> {
    this.refuseFailed();
    for (const filter of ERRORS) this.device.pushErrorScope(filter);
    const { name } = this.kernel(source);
    const errors = await Promise.all(ERRORS.map(() => this.device.popErrorScope()));
    if (errors.every((error) => !error)) return true;
    this.kernels.delete(name);
    return false;
  }

  /** A buffer of at least so many bytes, of unknown content. To be given back with {@link release}. */
  acquire(bytes: number): GpuView {
    this.refuseFailed();
    const buffer = this.buffers.take(bytes);
    return { buffer, offset: 0, bytes };
  }

  /** Commands that were recorded before may still use it. */
  release(...views: readonly GpuView[]): void {
    for (const { buffer } of views) this.buffers.give(buffer);
  }

  /** Records a run of a kernel. */
  run(kernel: Kernel, { views, words, groups }: Dispatch): void {
    this.refuseFailed();
    if (groups.some((count) => count === 0)) return;
    const apart = this.setApart(kernel, views);
    const starts = apart.map(({ offset }) => Math.floor(offset / ALIGNMENT) * ALIGNMENT);
    const skips = apart.map(({ offset }, index) => (offset - starts[index]) / 4);
    if (skips.length + words.length > MAX_WORDS) throw new Error(`${kernel.name}: too many words`);
    if (this.dispatches === MAX_DISPATCHES) this.flush();
    const at = this.dispatches++ * ALIGNMENT;
    this.words.set([...skips, ...words.map((word) => word >>> 0)], at / 4);
    const group = this.device.createBindGroup({
      layout: kernel.layout,
      entries: [
        { binding: 0, resource: { buffer: this.parameters, offset: at, size: ALIGNMENT } },
        ...apart.map(({ buffer, offset, bytes }, index) => ({
          binding: index + 1,
          resource: {
            buffer,
            offset: starts[index],
            size: Math.max(4, Math.ceil((offset - starts[index] + bytes) / 4) * 4),
          },
        })),
      ],
    });
    this.encoder ??= this.device.createCommandEncoder();
    this.pass ??= this.encoder.beginComputePass();
    this.pass.setPipeline(kernel.pipeline);
    this.pass.setBindGroup(0, group);
    this.pass.dispatchWorkgroups(...(groups as [number, number?, number?]));
  }

  /** What a kernel reads may not lie in a buffer that it writes: such a view is copied. */
  private setApart({ access }: Kernel, views: readonly GpuView[]): readonly GpuView[] {
    const written = new Set(
      views.filter((_, index) => access[index] === 'write').map(({ buffer }) => buffer),
    );
    return views.map((view, index) => {
      if (access[index] === 'write' || !written.has(view.buffer)) return view;
      const copy = this.acquire(view.bytes);
      this.copy(view, copy);
      this.borrowed.push(copy.buffer);
      return copy;
    });
  }

  /** Records a copy; the views may lie in one buffer, but may not overlap. */
  copy(from: GpuView, to: GpuView): void {
    this.refuseFailed();
    if (from.buffer === to.buffer) {
      const between = this.acquire(from.bytes);
      this.copy(from, between);
      this.copy(between, to);
      this.release(between);
      return;
    }
    this.endPass();
    this.encoder ??= this.device.createCommandEncoder();
    const bytes = Math.ceil(Math.min(from.bytes, to.bytes) / 4) * 4;
    this.encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, bytes);
  }

  /** Writes bytes; a last word that they fill in part is filled with zeros. */
  write({ buffer, offset }: GpuView, bytes: Uint8Array): void {
    this.refuseFailed();
    // Recorded commands come first, and may use the buffer.
    this.flush();
    const whole = bytes.byteLength - (bytes.byteLength % 4);
    const { queue } = this.device;
    if (whole > 0) {
      queue.writeBuffer(buffer, offset, bytes.buffer, bytes.byteOffset, whole);
    }
    if (whole < bytes.byteLength) {
      const rest = new Uint8Array(4);
      rest.set(bytes.subarray(whole));
      queue.writeBuffer(buffer, offset + whole, rest);
    }
  }

  /** Sets words to zero. */
  clear({ buffer, offset, bytes }: GpuView): void {
    this.refuseFailed();
    this.endPass();
    this.encoder ??= this.device.createCommandEncoder();
    this.encoder.clearBuffer(buffer, offset, Math.ceil(bytes / 4) * 4);
  }

  /** What lies in a view when everything before is done. @throws GpuFailure */
  async read({ buffer, offset, bytes }: GpuView): Promise<Uint8Array<ArrayBuffer>> {
    this.refuseFailed();
    const size = Math.max(4, Math.ceil(bytes / 4) * 4);
    const staging = this.buffers.takeStaging(size);
    this.endPass();
    this.encoder ??= this.device.createCommandEncoder();
    this.encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
    this.flush();
    const { checks } = this;
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, size);
      await checks;
      this.refuseFailed();
      const result = new Uint8Array(staging.getMappedRange(0, size).slice(0), 0, bytes);
      staging.unmap();
      this.buffers.giveStaging(staging);
      return result;
    } catch (error) {
      throw this.failed ?? this.fail(`The GPU gave no result (${String(error)})`);
    }
  }

  /** Waits until everything before is done, which keeps its queue short. @throws GpuFailure */
  async finish(): Promise<void> {
    this.flush();
    await Promise.all([this.device.queue.onSubmittedWorkDone(), this.checks]).catch(
      () => undefined,
    );
    this.refuseFailed();
  }

  /** Sends the recorded commands to the device. */
  flush(): void {
    this.endPass();
    const { encoder, device, dispatches } = this;
    if (!encoder) return;
    this.encoder = undefined;
    this.dispatches = 0;
    if (dispatches > 0) {
      device.queue.writeBuffer(this.parameters, 0, this.words.buffer, 0, dispatches * ALIGNMENT);
    }
    for (const filter of ERRORS) device.pushErrorScope(filter);
    device.queue.submit([encoder.finish()]);
    const scopes = ERRORS.map(async () => {
      const error = await device.popErrorScope();
      if (error) this.fail(error.message);
    });
    const before = this.checks;
    this.checks = Promise.all([before, ...scopes]).catch((error: unknown) => {
      if (!this.destroyed) this.fail(String(error));
    });
    for (const buffer of this.borrowed.splice(0)) this.buffers.give(buffer);
    this.buffers.trim();
  }

  /** Gives up the device and all that lies on it. */
  destroy(): void {
    this.destroyed = true;
    this.failed ??= new GpuFailure('The GPU was given back');
    this.buffers.destroy();
    this.parameters.destroy();
    this.kernels.clear();
    this.device.destroy();
  }

  private fail(message: string): GpuFailure {
    // Drivers write essays; the first line says what it is.
    this.failed ??= new GpuFailure(message.trim().split('\n')[0].slice(0, 300));
    return this.failed;
  }

  private refuseFailed(): void {
    if (this.failed) throw this.failed;
  }

  private endPass(): void {
    this.pass?.end();
    this.pass = undefined;
  }
}
