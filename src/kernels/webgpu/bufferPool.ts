/** Sizes of a buffer are rounded up to one of these, so that buffers fit again: eight to a power of two. */
function roundUp(bytes: number): number {
  if (bytes <= 2048) return Math.max(256, Math.ceil(bytes / 256) * 256);
  const step = 2 ** (Math.floor(Math.log2(bytes - 1)) - 3);
  return Math.ceil(bytes / step) * step;
}

/** Buffers that lie idle are kept up to so many bytes. */
const MAX_IDLE_BYTES = 1 << 28;

/** Buffers of a device that are used again. */
export class BufferPool {
  private readonly idle = new Map<number, GPUBuffer[]>();
  private readonly staging = new Map<number, GPUBuffer[]>();
  private readonly all = new Set<GPUBuffer>();
  private bytes = 0;
  private idleBytes = 0;

  constructor(private readonly device: GPUDevice) {}

  /** Those for kernels. */
  get counts(): { readonly buffers: number; readonly bufferBytes: number } {
    return { buffers: this.all.size, bufferBytes: this.bytes };
  }

  /** A buffer for kernels of at least so many bytes, of unknown content. */
  take(bytes: number): GPUBuffer {
    const size = Math.min(roundUp(bytes), Math.max(bytes, this.device.limits.maxBufferSize));
    const known = this.idle.get(size)?.pop();
    if (known) {
      this.idleBytes -= size;
      return known;
    }
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = this.device.createBuffer({ size: Math.ceil(size / 4) * 4, usage });
    this.all.add(buffer);
    this.bytes += buffer.size;
    return buffer;
  }

  give(buffer: GPUBuffer): void {
    this.idleBytes += buffer.size;
    push(this.idle, buffer);
  }

  /** Destroys idle buffers where there are many. No commands that use them may wait to be submitted. */
  trim(): void {
    for (const [size, buffers] of this.idle) {
      while (this.idleBytes > MAX_IDLE_BYTES && buffers.length > 0) {
        const buffer = buffers.pop()!;
        this.all.delete(buffer);
        this.bytes -= size;
        this.idleBytes -= size;
        buffer.destroy();
      }
    }
  }

  /** A buffer that the host reads. */
  takeStaging(bytes: number): GPUBuffer {
    const size = roundUp(bytes);
    return (
      this.staging.get(size)?.pop() ??
      this.device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST })
    );
  }

  giveStaging(buffer: GPUBuffer): void {
    push(this.staging, buffer);
  }

  destroy(): void {
    for (const buffer of this.all) buffer.destroy();
    for (const buffer of [...this.staging.values()].flat()) buffer.destroy();
    this.all.clear();
    this.idle.clear();
    this.staging.clear();
  }
}

function push(buffers: Map<number, GPUBuffer[]>, buffer: GPUBuffer): void {
  const list = buffers.get(buffer.size);
  if (list) list.push(buffer);
  else buffers.set(buffer.size, [buffer]);
}
