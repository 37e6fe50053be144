import type { ModelTensor } from '../../checkpoint/types.js';
import { quoted } from '../../storage/errors.js';

/**
 * A model's tensors by name. Whoever asks for one that belongs to the model and is not there is refused, also
 * where the architecture could do without: a head that is lost is not a head that was never stored.
 */
export class PresentTensors extends Map<string, ModelTensor> {
  readonly #absent: ReadonlySet<string>;
  /** Modules that have lost something: a weight is lost with any of the parts it is stored in. */
  readonly #incomplete = new Set<string>();

  /** @param absent names of the tensors that are lost */
  constructor(tensors: ReadonlyMap<string, ModelTensor>, absent: ReadonlySet<string>) {
    super(tensors);
    this.#absent = absent;
    for (const name of absent) this.#incomplete.add(moduleOf(name));
  }

  /** @throws where the tensor is lost */
  override get(name: string): ModelTensor | undefined {
    this.#refuseLost(name);
    return super.get(name);
  }

  /** @throws where the tensor is lost */
  override has(name: string): boolean {
    this.#refuseLost(name);
    return super.has(name);
  }

  #refuseLost(name: string): void {
    const lost =
      this.#absent.has(name) || (!super.has(name) && this.#incomplete.has(moduleOf(name)));
    if (lost) throw new Error(`the tensor ${quoted(name)} is not there`);
  }
}

function moduleOf(name: string): string {
  return name.slice(0, name.lastIndexOf('.') + 1);
}
