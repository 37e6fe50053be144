// Program of the process that serves a GPU: a driver's crash ends it and nothing else. It reads files itself.
import { makeGpuService, type GpuServiceApi } from '../compute/webgpu/gpuService.js';
import { makeHostReader, type HostSourcesApi } from '../compute/webgpu/hostSources.js';
import { serveLate } from '../compute/webgpu/lateService.js';
import { requestNodeAdapter, type GpuProcessStart } from '../compute/webgpu/node/nodeAdapter.js';
import { serveProcess } from '../host/node/serveProcess.js';
import { Gpu } from '../kernels/webgpu/gpu.js';
import { openStoredSources } from '../layouts/node/openStored.js';
import { makeGpuMethods } from '../model/forward/webgpu/gpuMethods.js';

serveProcess<GpuServiceApi, HostSourcesApi>((argument, other) => {
  const { packageFolder, ...options } = JSON.parse(argument) as GpuProcessStart;
  const files = openStoredSources({});
  const reader = makeHostReader((range) => other.read(range), files);
  const service = (async () => {
    const gpu = await Gpu.open(await requestNodeAdapter(packageFolder), options);
    return makeGpuService(gpu, makeGpuMethods(gpu, reader), () => void files.close());
  })();
  return serveLate(service);
});
