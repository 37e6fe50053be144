/** What an adapter is, for people and for the choice between backends. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  /** Computes on the CPU: right, but never faster than WASM. */
  readonly isSoftware: boolean;
}

/** What a device can be given at once, in bytes unless said otherwise. */
export interface DeviceLimits {
  readonly bufferBytes: number;
  /** What one kernel sees of a buffer. */
  readonly bindingBytes: number;
  readonly workgroupBytes: number;
  /** Threads of a workgroup. */
  readonly invocations: number;
  /** Workgroups in each direction of a dispatch. */
  readonly workgroups: number;
  /** Threads of the smallest subgroup; 0 where kernels may not use subgroups. */
  readonly leastSubgroup: number;
}

/** Names by which drivers that compute on the CPU call themselves. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|microsoft basic render|\bwarp\b|software/i;

export function describeAdapter({ info }: GPUAdapter): AdapterDescription {
  const { vendor, architecture, device, description, isFallbackAdapter } = info;
  const names = [vendor, architecture, device, description].map((name) => name.slice(0, 200));
  return {
    vendor: names[0],
    architecture: names[1],
    description: names[3] || names[2] || names[1] || names[0],
    isSoftware: isFallbackAdapter || names.some((name) => SOFTWARE.test(name)),
  };
}
