import type { CallOptions } from '../../rpc/rpc.js';
import type { CalibratedLinear, CalibrationSite, QuantizeWithGram, StepFinding } from '../types.js';
import { factorInputs } from './factorInputs.js';
import { VptqLayer, type FactoredInputs } from './layer.js';
import { readSettings, type VptqSettings } from './settings.js';
import type { Loss } from './tasks.js';

/**
 * Takes a linear map through all stages.
 * @param added to each entry of the products' diagonal
 * @returns the proxy error tr(ΔW·H·ΔWᵀ)/tr(W·H·Wᵀ) after each, by undamped products
 */
async function quantizeLinear(
  site: CalibrationSite,
  linear: CalibratedLinear,
  seen: FactoredInputs,
  settings: VptqSettings,
  added: number,
  call: CallOptions,
): Promise<Readonly<Record<string, number>>> {
  const layer = new VptqLayer(site.machine, linear, seen, settings, call);
  await layer.copyWeights(settings.normalized ? await layer.findNorms() : undefined);
  const undamped = ({ products, squares }: Loss) => products - added * squares;
  const whole = undamped(await layer.measure('weights'));
  // Weights that have no effect lose none.
  const proxy = (loss: Loss) => (whole > 0 ? undamped(loss) / whole : 0);
  await layer.trainCodebooks();
  const kMeansProxy = proxy(await layer.measure('nearest'));
  if (settings.residualCentroids === 0) {
    const last = await layer.encode();
    await layer.restoreWeights();
    return { loss: undamped(last), kMeansProxy, passProxy: proxy(last) };
  }
  const passProxy = proxy(await layer.encodeFirst());
  await layer.trainResidualCodebooks();
  const last = await layer.encode();
  await layer.restoreWeights();
  return { loss: undamped(last), kMeansProxy, passProxy, residualProxy: proxy(last) };
}

/** VPTQ (arXiv 2409.17066, algorithm 1 and its code), without its fine-tuning. */
export const vptqStep: QuantizeWithGram = {
  needs: 'gram',
  async quantize(site, gram, options, call) {
    const settings = readSettings(options);
    const { seen, added, damping, notes } = await factorInputs(site, gram, settings, call);
    const findings: StepFinding[] = [];
    for (const linear of site.linears) {
      const { loss, ...proxies } = await quantizeLinear(site, linear, seen, settings, added, call);
      findings.push({
        block: site.block,
        tensors: [linear.name],
        values: { loss: loss / gram.rows, ...proxies, damping },
        notes,
      });
    }
    return findings;
  },
};
