// Program of the process that serves a GPU: a driver's crash ends it and nothing else. It reads files itself.
import { makeGpuService, type GpuServiceApi } from '../compute/webgpu/gpuService.js';
import { makeHostReader, type HostSourcesApi } from '../compute/webgpu/hostSources.js';
import { serveLate } from '../compute/webgpu/lateService.js';
import { requestNodeAdapter, type GpuProcessStart } from '../compute/webgpu/node/nodeAdapter.js';
import { serveProcess } from '../host/node/serveProcess.js';
import { Gpu } from '../kernels/webgpu/gpu.js';
import { isGpuFailure } from '../kernels/webgpu/gpuFailure.js';
import { openStoredSources } from '../layouts/node/openStored.js';
import { makeGpuMethods } from '../model/forward/webgpu/gpuMethods.js';

/** After a failure nothing that the device gives is to be trusted: whoever needs one starts another process. */
function endAfter(reason: string): void {
  // Answers go first, and the last line of errors says why the process ended.
  setTimeout(() => {
    process.stderr.write(`${reason}\n`);
    process.exit(1);
  });
}

serveProcess<GpuServiceApi, HostSourcesApi>((argument, other) => {
  const { packageFolder, ...options } = JSON.parse(argument) as GpuProcessStart;
  const files = openStoredSources({});
  const reader = makeHostReader((range) => other.read(range), files);
  let isOpen = false;
  const service = (async () => {
    const gpu = await Gpu.open(await requestNodeAdapter(packageFolder), options);
    isOpen = true;
    void gpu.device.lost.then(({ message, reason }) => endAfter(message || reason));
    return makeGpuService(gpu, makeGpuMethods(gpu, reader), () => void files.close());
  })();
  return serveLate(service, (error) => {
    // That there is none is an answer, too.
    if (isOpen && isGpuFailure(error)) endAfter(error.message);
  });
});
