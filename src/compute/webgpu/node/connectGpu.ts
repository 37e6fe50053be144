import { superviseThread } from '../../../host/node/threads.js';
import type { AdapterDescription } from '../../../kernels/webgpu/adapter.js';
import { GpuFailure } from '../../../kernels/webgpu/gpuFailure.js';
import { guardHandlers, type ArgumentSchemas } from '../../../rpc/guard.js';
import { fields, flag, SchemaError, text, wholeNumber } from '../../../rpc/schema.js';
import type { Schema } from '../../../rpc/schema.js';
import type { ByteReader } from '../../../storage/openSources.js';
import type { GpuConnection } from '../gpuMachine.js';
import type { GpuServiceApi } from '../gpuService.js';
import { HostSources, type HostSourcesApi } from '../hostSources.js';
import { inTime, type GpuLink } from './gpuLink.js';

/** A device at the other end of a link. */
export interface LinkedGpu extends GpuConnection {
  /** Ends it; jobs under way fail. */
  end(): void;
}

/** Far more than any task reads at once. */
const MAX_READ_BYTES = 2 ** 28;
/** What names an adapter, see `describeAdapter`. */
const name = text(200);

// A page is at the other end, which shows what strangers wrote: it reads what a job has shared with it and
// nothing else, and what it says of itself is checked. Results of tasks it may make up: they are numbers to show.
const sourceArguments: ArgumentSchemas<HostSourcesApi> = {
  read: fields({
    key: wholeNumber(0, Number.MAX_SAFE_INTEGER),
    offset: wholeNumber(0, Number.MAX_SAFE_INTEGER),
    bytes: wholeNumber(0, MAX_READ_BYTES),
  }),
};
const adapterFields: Schema<AdapterDescription> = fields({
  vendor: name,
  architecture: name,
  description: name,
  isSoftware: flag,
});

/**
 * Joins a device that a page serves, which reads no files: all bytes come from here.
 * @param reader reads them; it is closed when the link ends
 * @throws GpuFailure where the link ends before the device has answered
 */
export async function connectGpu(
  link: GpuLink,
  reader: ByteReader & { close(): Promise<void> },
): Promise<LinkedGpu> {
  const sources = new HostSources(reader, () => false);
  const handlers = guardHandlers<HostSourcesApi>(sources.api, sourceArguments, () => undefined);
  const service = superviseThread<GpuServiceApi, HostSourcesApi>(
    { onEnd: (listener) => link.onEnd(listener), terminate: () => Promise.resolve(link.end()) },
    link.channel,
    (reason) => new GpuFailure(reason),
    handlers,
  );
  link.onEnd(() => void reader.close());
  try {
    const describing = service.whileAlive(service.remote.describe(null));
    const { adapter } = await inTime(describing, 'The page did not open its GPU in time');
    return {
      adapter: adapterFields.read(adapter, 'adapter'),
      implementation: 'browser',
      service,
      sources,
      end: () => link.end(),
    };
  } catch (error) {
    link.end();
    if (error instanceof SchemaError) throw new GpuFailure(error.message, { cause: error });
    throw error;
  }
}
